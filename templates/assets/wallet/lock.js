// The PIN before the card. A gate of the interface: it keeps out who holds the phone. Five wrong tries
// erase key and card. A try is counted before it is judged, so that closing the page does not undo it.

import { change, erase, run } from "./database.js";

export const TRIES = 5;
const LOCK = "lock";
const ID = "pin";
const ROUNDS = 600_000;

// { passkey, left } of the lock, undefined when none is set. Too many tries, ended half-way: erased now.
export async function read() {
  const lock = await run(LOCK, "readonly", (store) => store.get(ID));
  if (!lock) return undefined;
  if (lock.tries < TRIES) return { passkey: lock.passkey, left: TRIES - lock.tries };
  await erase();
  return { left: 0 };
}

// Six digits that are not among the first that anyone would try.
export function isWeak(pin) {
  const steps = [...pin].slice(1).map((digit, at) => (Number(digit) - Number(pin[at]) + 10) % 10);
  const even = steps.every((step) => step === steps[0]) && [0, 1, 9].includes(steps[0]);
  const repeated = pin.slice(0, 3) === pin.slice(3) || pin.slice(0, 4) === pin.slice(2);
  return even || repeated;
}

export async function set(pin) {
  const salt = crypto.getRandomValues(new Uint8Array(16));
  const hash = await hashed(pin, salt);
  const before = await run(LOCK, "readonly", (store) => store.get(ID));
  const lock = { id: ID, salt, hash, tries: 0, passkey: before?.passkey };
  await run(LOCK, "readwrite", (store) => store.put(lock));
}

// { open, left }; with none left, everything is erased.
export async function tryPin(pin) {
  const lock = await change(LOCK, ID, (found) => ({ ...found, tries: found.tries + 1 }));
  if (!lock || lock.tries > TRIES) return fail(0);
  const hash = await hashed(pin, lock.salt);
  if (!hash.every((byte, at) => byte === lock.hash[at])) return fail(TRIES - lock.tries);
  await change(LOCK, ID, (found) => ({ ...found, tries: 0 }));
  return { open: true, left: TRIES };
}

export function setPasskey(passkey) {
  return change(LOCK, ID, (found) => ({ ...found, passkey }));
}

export function remove() {
  return run(LOCK, "readwrite", (store) => store.delete(ID));
}

async function fail(left) {
  if (left <= 0) await erase();
  return { open: false, left };
}

async function hashed(pin, salt) {
  const key = await crypto.subtle.importKey("raw", new TextEncoder().encode(pin), "PBKDF2", false, ["deriveBits"]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt, iterations: ROUNDS };
  return new Uint8Array(await crypto.subtle.deriveBits(how, key, 256));
}
