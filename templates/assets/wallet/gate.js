// The lock as the person meets it: asked before the cards are seen and before each presentation.

import { sure } from "./confirm.js";
import { erase } from "./database.js";
import * as lock from "./lock.js";
import { byId, word } from "./page.js";
import * as passkey from "./passkey.js";
import { Stopped } from "./stopped.js";

const OPEN_MS = 120_000;
const OPEN_UNTIL = "gongmu-wallet-open-until";
const SIX_DIGITS = /^[0-9]{6}$/;

export function isOpen() {
  return Number(sessionStorage.getItem(OPEN_UNTIL)) > Date.now();
}

// Before the cards are seen: asked, unless this tab was opened a moment ago. Stopped("erased").
export async function open() {
  document.addEventListener("visibilitychange", closeAfterAbsence);
  const found = await read();
  if (found && !isOpen()) await unlock(found, false);
}

// Before a card is shown to a site: always asked. False when the person goes back.
export async function confirm() {
  const found = await read();
  return !found || unlock(found, true);
}

// Set or change the PIN; false for "later".
export function setPin() {
  const dialog = byId("set-pin");
  const [first, again, said] = ["new-pin", "new-pin-again", "set-pin-said"].map(byId);
  return inDialog(dialog, (on, finish) => {
    on(byId("set-pin-later"), "click", () => finish(false));
    on(dialog, "cancel", () => finish(false));
    on(byId("set-pin-form"), "submit", async () => {
      const problem = faultOf(first.value, again.value);
      if (problem) return say(said, word(problem), problem === "pin_differs" ? again : first);
      await lock.set(first.value);
      stayOpen();
      finish(true);
    });
    say(said, "", first);
  });
}

function faultOf(pin, again) {
  if (!SIX_DIGITS.test(pin)) return "pin_shape";
  if (lock.isWeak(pin)) return "pin_weak";
  return pin === again ? "" : "pin_differs";
}

function unlock(found, mayCancel) {
  const dialog = byId("unlock");
  byId("unlock-cancel").hidden = !mayCancel;
  byId("unlock-forgotten").hidden = mayCancel;
  byId("unlock-passkey").hidden = !found.passkey;
  const opened = (finish) => {
    stayOpen();
    finish(true);
  };
  return inDialog(dialog, (on, finish, stop) => {
    on(dialog, "cancel", (event) => (mayCancel ? finish(false) : event.preventDefault()));
    on(byId("unlock-cancel"), "click", () => finish(false));
    on(byId("unlock-passkey"), "click", async () => {
      if (await passkey.ask(found.passkey)) opened(finish);
    });
    on(byId("unlock-forgotten"), "click", async () => {
      if (!(await sure("forget_pin"))) return;
      await erase();
      stop(new Stopped("erased_by_you"));
    });
    on(byId("unlock-form"), "submit", () => tryPin(() => opened(finish), stop));
    say(byId("unlock-said"), found.left < lock.TRIES ? leftWords(found.left) : "", byId("pin"));
  });
}

async function tryPin(opened, stop) {
  const [field, said, button] = ["pin", "unlock-said", "unlock-submit"].map(byId);
  if (!SIX_DIGITS.test(field.value)) return say(said, word("pin_shape"), field);
  button.disabled = true; // a second press must not cost a second try
  const { open: right, left } = await lock.tryPin(field.value);
  button.disabled = false;
  if (right) return opened();
  if (left <= 0) return stop(new Stopped("erased"));
  field.value = "";
  say(said, `${word("pin_wrong")} ${leftWords(left)}`, field);
}

// A dialog that stays until `finish(value)` or `stop(error)`; what was typed is gone afterwards.
function inDialog(dialog, listen) {
  const over = new AbortController();
  const done = new Promise((resolve, reject) => {
    const end = (settle) => (value) => {
      over.abort();
      for (const field of dialog.querySelectorAll("input")) field.value = "";
      dialog.close();
      settle(value);
    };
    const on = (target, type, act) =>
      target.addEventListener(
        type,
        (event) => {
          if (type === "submit") event.preventDefault();
          return act(event);
        },
        { signal: over.signal },
      );
    dialog.showModal();
    listen(on, end(resolve), end(reject));
  });
  return done;
}

async function read() {
  const found = await lock.read();
  if (found?.left === 0) throw new Stopped("erased");
  return found;
}

async function closeAfterAbsence() {
  if (!document.hidden && !isOpen() && (await lock.read())) location.reload();
}

function stayOpen() {
  sessionStorage.setItem(OPEN_UNTIL, String(Date.now() + OPEN_MS));
}

function leftWords(left) {
  return word(left === 1 ? "pin_last" : "pin_left").replace("{left}", left);
}

function say(place, text, field) {
  place.textContent = text;
  place.hidden = !text;
  field.setAttribute("aria-invalid", String(Boolean(text)));
  field.focus();
}
