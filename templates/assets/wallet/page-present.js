// /wallet/present: who asks, for what; yes or no; and back to where the person came from.

import { accept, decline, readRequest } from "./ask.js";
import { list } from "./cards.js";
import { choose } from "./dcql.js";
import { byId, claimName, face, forget, now, show, tell } from "./page.js";
import { Stopped } from "./stopped.js";

async function start() {
  try {
    const request = await readRequest(location.search);
    const choices = choose(request.dcql_query, await cards(), now());
    ask(request, choices);
  } catch (error) {
    fail(error);
  }
}

async function cards() {
  try {
    return await list();
  } catch {
    throw new Stopped("storage_unusable");
  }
}

function ask(request, choices) {
  byId("verifier-name").textContent = request.verifier;
  byId("verifier-host").textContent = request.host;
  const names = choices.flatMap((choice) => (choice.names.length ? choice.names : ["nothing"]));
  const items = [...new Set(names)].map((name) => {
    const item = document.createElement("li");
    item.textContent = claimName(name);
    return item;
  });
  byId("asked").replaceChildren(...items);
  byId("cards").replaceChildren(...choices.map(({ card }) => face(card)));
  byId("accept").addEventListener("click", () => run(() => accept(request, choices, now()), goOn), once);
  byId("decline").addEventListener("click", () => run(() => decline(request), declined), once);
  show("ask");
}

const once = { once: true };

async function run(action, then) {
  forget();
  show("sending");
  try {
    then(await action());
  } catch (error) {
    fail(error);
  }
}

// The same browser opens the return address: it may be the one that started (design: same device).
function goOn(address) {
  if (address) location.replace(address);
  else show("done");
}

function declined(address) {
  if (address) {
    byId("go-on").href = address;
    byId("go-on").hidden = false;
  }
  show("declined");
}

function fail(error) {
  show("failed");
  tell(error);
}

await start();
