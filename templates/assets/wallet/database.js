// What stays on this phone: IndexedDB. Cards with their keys, the lock before them, the history.

const NAME = "gongmu-wallet";
const VERSION = 2;
const STORES = { cards: "id", lock: "id", history: "at" };

// One transaction on one store; gives what the action's request gives.
export async function run(store, mode, action) {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(store, mode);
      const request = action(transaction.objectStore(store));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

// Read one record and write it changed, in one transaction: of two tabs none loses a change.
// `change` gives the new record, or undefined to leave it; the outcome is what it gave.
export async function change(store, id, alter) {
  let altered;
  await run(store, "readwrite", (place) => {
    const request = place.get(id);
    request.onsuccess = () => {
      altered = request.result && alter(request.result);
      if (altered) place.put(altered);
    };
    return request;
  });
  return altered;
}

// Everything: keys, cards, lock and history, at once or not at all.
export async function erase() {
  const database = await open();
  try {
    await new Promise((resolve, reject) => {
      const transaction = database.transaction(Object.keys(STORES), "readwrite");
      for (const store of Object.keys(STORES)) transaction.objectStore(store).clear();
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      for (const [store, keyPath] of Object.entries(STORES)) {
        if (!request.result.objectStoreNames.contains(store)) {
          request.result.createObjectStore(store, { keyPath });
        }
      }
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
