// /wallet/present: who asks, for what; yes or no; and back to where the person came from.

import { accept, decline, readRequest } from "./ask.js";
import { list } from "./cards.js";
import { choose } from "./dcql.js";
import { confirm, isOpen } from "./gate.js";
import * as history from "./history.js";
import * as lock from "./lock.js";
import { byId, claimName, face, forget, now, show, tell } from "./page.js";
import * as shell from "./shell.js";
import { statusOf } from "./status.js";
import { Stopped } from "./stopped.js";

async function start() {
  shell.start();
  try {
    // A card first: who fetches the request has the sign-in, and no other phone can answer it.
    const held = await cards();
    if (!held.length) throw new Stopped("no_card");
    const request = await readRequest(location.search);
    const choices = choose(request.dcql_query, held, now());
    await ask(request, choices);
  } catch (error) {
    fail(error);
  }
}

async function cards() {
  try {
    if ((await lock.read())?.left === 0) throw new Stopped("erased");
    return await list();
  } catch (error) {
    throw error instanceof Stopped ? error : new Stopped("storage_unusable");
  }
}

async function ask(request, choices) {
  byId("verifier-name").textContent = request.verifier;
  byId("verifier-host").textContent = request.host;
  const names = choices.flatMap((choice) => (choice.names.length ? choice.names : ["nothing"]));
  const asked = [...new Set(names)];
  byId("asked").replaceChildren(...asked.map(listed));
  const visible = isOpen() || !(await lock.read()); // behind the PIN, no face before it
  byId("from-card").hidden = !visible;
  if (visible) byId("cards").replaceChildren(...choices.map(({ card }) => face(card)));
  byId("accept").addEventListener("click", () => accepted(request, choices, asked));
  byId("decline").addEventListener("click", () => declined(request, asked));
  show("ask");
}

function listed(name) {
  const item = document.createElement("li");
  item.textContent = claimName(name);
  return item;
}

async function accepted(request, choices, asked) {
  try {
    if (!(await confirm())) return;
    show("sending");
    const address = await noted(request, asked, "accepted", accept(request, choices, now()));
    // The same browser opens the return address: it may be the one that started (design: same device).
    if (address) location.replace(address);
    else show("done");
  } catch (error) {
    fail(await reason(error, choices));
  }
}

// A card that was suspended or revoked is why a site refuses it, and its issuer says so itself.
async function reason(error, choices) {
  if (error.code !== "answer_refused") return error;
  for (const { card } of choices) {
    const { state } = await statusOf(card);
    if (["suspended", "revoked", "expired"].includes(state)) return new Stopped(`refused_${state}`);
  }
  return error;
}

async function declined(request, asked) {
  show("sending");
  try {
    const address = await noted(request, asked, "declined", decline(request));
    if (address) byId("go-on").href = address;
    byId("go-on").hidden = !address;
    show("declined");
  } catch (error) {
    fail(error);
  }
}

// The answer's outcome goes into the history; a note that fails does not undo the answer.
async function noted(request, asked, outcome, answer) {
  const note = (what) => history.add(request, asked, what).catch(() => {});
  try {
    const address = await answer;
    await note(outcome);
    return address;
  } catch (error) {
    await note("failed");
    throw error;
  }
}

function fail(error) {
  forget();
  show("failed");
  tell(error);
}

await start();
