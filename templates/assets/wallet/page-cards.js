// /wallet: the cards, and the two ways to open a link.

import { list } from "./cards.js";
import { pageFor } from "./links.js";
import { byId, face, forget, tell } from "./page.js";
import { linkIn } from "./picture.js";
import { Stopped } from "./stopped.js";

async function showCards() {
  let cards;
  try {
    cards = await list();
  } catch {
    return tell(new Stopped("storage_unusable"));
  }
  byId("cards").replaceChildren(...cards.map(face));
  byId("empty").hidden = cards.length > 0;
}

function open(link) {
  location.assign(pageFor(link));
}

byId("paste").addEventListener("submit", (event) => {
  event.preventDefault();
  forget();
  try {
    open(byId("link").value);
  } catch (error) {
    tell(error);
  }
});

byId("picture")?.addEventListener("change", async ({ target }) => {
  forget();
  try {
    if (target.files[0]) open(await linkIn(target.files[0]));
  } catch (error) {
    tell(error);
  }
  target.value = "";
});

await showCards();
