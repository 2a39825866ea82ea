// What was asked with this wallet: who, when, for what, and the answer. It stays on this phone.

import { run } from "./database.js";

const HISTORY = "history";
const LONGEST = 200;

// outcome: "accepted", "declined" or "failed" (the site did not take the answer).
export async function add(request, names, outcome) {
  const { verifier, host } = request;
  await run(HISTORY, "readwrite", (store) => {
    // Times are the keys: the fraction keeps two in one millisecond apart.
    const at = Date.now() + performance.now() / 1e9;
    const keys = store.getAllKeys();
    keys.onsuccess = () => keys.result.slice(0, -LONGEST).forEach((old) => store.delete(old));
    return store.put({ at, verifier, host, names, outcome });
  });
}

// The newest first.
export async function list() {
  return (await run(HISTORY, "readonly", (store) => store.getAll())).reverse();
}

export function clear() {
  return run(HISTORY, "readwrite", (store) => store.clear());
}
