// /wallet/receive: who offers a card, the code, and the card itself.

import { save } from "./cards.js";
import { setPin } from "./gate.js";
import { readOffer, receive } from "./issue.js";
import * as lock from "./lock.js";
import { byId, face, forget, language, now, show, tell } from "./page.js";
import * as shell from "./shell.js";
import { Stopped } from "./stopped.js";

async function start() {
  shell.start();
  try {
    const offer = await readOffer(location.search, language());
    ask(offer);
  } catch (error) {
    show("failed");
    tell(error);
  }
}

function ask(offer) {
  byId("issuer-name").textContent = offer.name;
  byId("issuer-host").textContent = new URL(offer.issuer).host;
  const code = byId("tx-code");
  byId("code-part").hidden = !offer.txCode;
  if (offer.txCode?.input_mode !== "text") code.inputMode = "numeric";
  if (offer.txCode?.length) code.maxLength = offer.txCode.length;
  byId("receive").addEventListener("submit", (event) => {
    event.preventDefault();
    take(offer, code.value.trim());
  });
  show("ask");
  if (offer.txCode) code.focus();
}

async function take(offer, code) {
  forget();
  const button = document.querySelector("#receive button");
  button.disabled = true; // a second press must not spend the offer twice
  try {
    checkShape(offer.txCode, code);
    const received = await receive(offer, code, now());
    const card = await keep(received);
    byId("cards").replaceChildren(face(card));
    show("done");
    await protect();
  } catch (error) {
    tell(error);
    byId("tx-code").focus();
  } finally {
    button.disabled = false;
  }
}

// The PIN is offered with the first card, before anything else can be done.
async function protect() {
  shell.keepForGood();
  const protectedNow = (await lock.read()) || (await setPin());
  byId("no-pin").hidden = Boolean(protectedNow);
}

function checkShape(wanted, code) {
  if (!wanted) return;
  const wrongLength = wanted.length && code.length !== wanted.length;
  const wrongKind = wanted.input_mode !== "text" && !/^[0-9]+$/.test(code);
  if (!code || wrongLength || wrongKind) throw new Stopped("code_shape");
}

async function keep(received) {
  try {
    return await save(received);
  } catch {
    throw new Stopped("storage_unusable");
  }
}

await start();
