// The cards on this phone, each with the key it is bound to.

import { change, run } from "./database.js";
import { parse } from "./sd-jwt.js";

const CARDS = "cards";

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
  await run(CARDS, "readwrite", (store) => store.put(record));
  return { ...record, sdJwt };
}

// All cards, the newest first, read and ready to be shown.
export async function list() {
  const records = await run(CARDS, "readonly", (store) => store.getAll());
  records.sort((one, other) => other.receivedAt - one.receivedAt);
  return Promise.all(records.map(async (record) => ({ ...record, sdJwt: await parse(record.credential) })));
}

export function remove(card) {
  return run(CARDS, "readwrite", (store) => store.delete(card.id));
}

// What the issuer said of this very card, and when: { state, at }.
export function keepStatus(card, confirmed) {
  return change(CARDS, card.id, (record) =>
    record.credential === card.credential ? { ...record, confirmed } : undefined,
  );
}
