// The ways to open a link: the camera, a photograph, by hand.

import { scan } from "./camera.js";
import { pageFor } from "./links.js";
import { byId, forget, tell } from "./page.js";
import { linkIn } from "./picture.js";

export function startOpeners() {
  byId("paste").addEventListener("submit", (event) => {
    event.preventDefault();
    forget();
    tryLink(byId("link").value);
  });
  byId("picture")?.addEventListener("change", ({ target }) => photographed(target));
  byId("scan")?.addEventListener("click", look);
}

// Whether the text was a link; anything else is told and looked past.
function tryLink(text) {
  try {
    location.assign(pageFor(text));
    return true;
  } catch (error) {
    tell(error);
    return false;
  }
}

async function photographed(target) {
  forget();
  try {
    if (target.files[0]) tryLink(await linkIn(target.files[0]));
  } catch (error) {
    tell(error);
  }
  target.value = "";
}

async function look() {
  forget();
  const [button, viewer, video] = ["scan", "viewer", "camera"].map(byId);
  let stop = () => {};
  const end = (error) => {
    stop();
    viewer.hidden = true;
    button.hidden = false;
    if (error) tell(error);
  };
  button.hidden = true;
  viewer.hidden = false;
  try {
    const found = (text) => {
      const taken = tryLink(text);
      if (taken) end(null);
      return taken;
    };
    stop = await scan(video, found, end);
    byId("scan-stop").onclick = () => {
      end(null);
      button.focus();
    };
    byId("scan-stop").focus();
  } catch (error) {
    end(error);
  }
}
