// Below the cards: the PIN, the fingerprint, and what was asked with this wallet.

import { list as cards } from "./cards.js";
import { sure } from "./confirm.js";
import { confirm, setPin } from "./gate.js";
import * as history from "./history.js";
import * as lock from "./lock.js";
import { byId, claimName, moment, word } from "./page.js";
import * as passkey from "./passkey.js";

export async function startMore() {
  byId("protect").addEventListener("click", async () => {
    if (await setPin()) await showLock();
  });
  byId("change-pin").addEventListener("click", async () => {
    if ((await confirm()) && (await setPin())) await showLock();
  });
  byId("use-passkey").addEventListener("click", usePasskey);
  byId("clear-history").addEventListener("click", async () => {
    if (!(await sure("clear_history"))) return;
    await history.clear();
    await showHistory();
  });
  await showLock();
  await showHistory();
}

async function showLock() {
  const found = await lock.read();
  byId("unprotected").hidden = Boolean(found) || (await cards()).length === 0;
  byId("lock").hidden = !found;
  byId("use-passkey").hidden = !found || Boolean(found.passkey) || !(await passkey.isAvailable());
  byId("passkey-used").hidden = !found?.passkey;
}

async function usePasskey() {
  if (!(await confirm())) return;
  const made = await passkey.create(document.title);
  if (made) await lock.setPasskey(made);
  await showLock();
}

async function showHistory() {
  const entries = await history.list();
  byId("history-none").hidden = entries.length > 0;
  byId("clear-history").hidden = entries.length === 0;
  byId("history").replaceChildren(...entries.map(item));
}

function item({ at, verifier, host, names, outcome }) {
  const copy = byId("history-item").content.firstElementChild.cloneNode(true);
  const shown = {
    who: `${verifier} (${host})`,
    when: moment(at),
    what: names.map(claimName).join(", "),
    outcome: word(`history_${outcome}`),
  };
  for (const [name, text] of Object.entries(shown)) {
    copy.querySelector(`[data-${name}]`).textContent = text;
  }
  return copy;
}
