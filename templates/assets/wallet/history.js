// What was asked with this wallet: who, when, for what, and the answer. It stays on this phone.

import { run } from "./database.js";

const HISTORY = "history";
const LONGEST = 200;

// outcome: "accepted", "declined" or "failed" (the site did not take the answer).
export async function add(request, names, outcome) {
  const { verifier, host } = request;
  await run(HISTORY, "readwrite", (store) => {
    const keys = store.getAllKeys();
    keys.onsuccess = () => {
      keys.result.slice(0, 1 - LONGEST).forEach((old) => store.delete(old));
      // Times are the keys: two in one millisecond, or by a clock that was set back, stay two and in order.
      const at = Math.max(Date.now(), Math.floor(keys.result.at(-1) ?? 0) + 1);
      store.put({ at, verifier, host, names, outcome });
    };
    return keys;
  });
}

// The newest first.
export async function list() {
  return (await run(HISTORY, "readonly", (store) => store.getAll())).reverse();
}

export function clear() {
  return run(HISTORY, "readwrite", (store) => store.clear());
}
