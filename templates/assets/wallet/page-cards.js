// /wallet: the cards and whether they are good right now, and what else a person does with them.

import { list, remove } from "./cards.js";
import { sure } from "./confirm.js";
import { open } from "./gate.js";
import * as lock from "./lock.js";
import { startMore } from "./more.js";
import { startOpeners } from "./openers.js";
import { byId, face, moment, tell, word } from "./page.js";
import * as shell from "./shell.js";
import { statusOf } from "./status.js";
import { Stopped } from "./stopped.js";

const AGAIN_MS = 30_000;

async function start() {
  shell.start();
  startOpeners();
  try {
    await open();
    await showCards();
    await startMore();
  } catch (error) {
    byId("empty").hidden = false;
    tell(error instanceof Stopped ? error : new Stopped("storage_unusable"));
  }
}

async function showCards() {
  const cards = await list();
  byId("empty").hidden = cards.length > 0;
  byId("cards").replaceChildren(...cards.map(place));
  byId("more").hidden = false;
}

// One card with its live check below, repeated while somebody looks.
function place(card) {
  const holder = face(card);
  const tools = byId("card-tools").content.cloneNode(true);
  const [status, again, del] = ["status", "again", "delete"].map((name) => tools.querySelector(`[data-${name}]`));
  const check = async () => {
    if (!document.hidden) showStatus(holder, status, await statusOf(card));
  };
  again.addEventListener("click", check);
  del.addEventListener("click", () => drop(card));
  const buttons = holder.querySelector(".card-buttons");
  buttons.before(status);
  buttons.append(again);
  holder.append(del);
  check();
  setInterval(check, AGAIN_MS);
  document.addEventListener("visibilitychange", check);
  return holder;
}

function showStatus(holder, status, { state, at }) {
  holder.dataset.live = state;
  status.dataset.live = state;
  const when = at ? word("status_at").replace("{time}", moment(at)) : word("status_never");
  const said = status.querySelector("[data-said]");
  const words = word(`status_${state}`);
  if (said.textContent !== words) said.textContent = words; // read out when it changes only
  status.querySelector("[data-when]").textContent = when;
}

async function drop(card) {
  if (!(await sure("delete_card"))) return;
  await remove(card);
  if (!(await list()).length) await lock.remove();
  location.reload();
}

await start();
