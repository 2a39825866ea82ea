// The cards on this phone: IndexedDB. The only place that holds keys; a lock would stand here.

import { parse } from "./sd-jwt.js";

const NAME = "gongmu-wallet";
const STORE = "cards";

// A reissued card (same issuer, type and number) takes the place of the former one.
export async function save({ issuer, credential, keys }) {
  const sdJwt = await parse(credential);
  const number = sdJwt.claims.personnel_number ?? sdJwt.jwt;
  const record = {
    id: JSON.stringify([issuer, sdJwt.payload.vct, number]),
    issuer,
    credential,
    keys,
    receivedAt: Date.now(),
  };
  await run("readwrite", (store) => store.put(record));
  return { ...record, sdJwt };
}

// All cards, the newest first, read and ready to be shown.
export async function list() {
  const records = await run("readonly", (store) => store.getAll());
  records.sort((one, other) => other.receivedAt - one.receivedAt);
  return Promise.all(records.map(async (record) => ({ ...record, sdJwt: await parse(record.credential) })));
}

async function run(mode, action) {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = action(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
