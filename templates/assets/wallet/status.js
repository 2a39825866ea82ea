// Is this card still good? The list is fetched from the issuer, verified by the wallet's server, and
// looked up here, so that nobody learns which card asked (Token Status List, draft-21 §8.3).

import { keepStatus } from "./cards.js";
import { decode } from "./base64url.js";
import { Stopped } from "./stopped.js";
import { call, isOurs, json, jsonBody } from "./web.js";

const STATES = new Map([
  [0, "live"],
  [1, "revoked"],
  [2, "suspended"],
]);

// { state, at }: `at` is when the issuer's word was last had; 0 for never. State "offline": only what
// was known then, which is never shown as live; "unknown": the issuer's word cannot be believed.
export async function statusOf(card) {
  if (card.sdJwt.payload.exp <= Date.now() / 1000) return { state: "expired", at: Date.now() };
  try {
    const confirmed = { state: await lookUp(card), at: Date.now() };
    if (confirmed.state !== "unknown") await keepStatus(card, confirmed);
    return confirmed.state === "unknown" ? { ...confirmed, at: card.confirmed?.at ?? 0 } : confirmed;
  } catch (error) {
    const known = card.confirmed ?? { state: "live", at: 0 };
    if (known.state !== "live") return known;
    const offline = error instanceof Stopped && error.code === "unreachable";
    return { state: offline ? "offline" : "unknown", at: known.at };
  }
}

async function lookUp(card) {
  const { uri, idx } = card.sdJwt.payload.status?.status_list ?? {};
  if (!isOurs(uri) || !Number.isSafeInteger(idx) || idx < 0) return "unknown";
  const list = await call(uri, { headers: { Accept: "application/statuslist+jwt" } });
  if (list.status !== 200) return "unknown";
  const question = { status_list: await list.text(), uri };
  const verified = await call(`${location.origin}/wallet/verify-status`, jsonBody(question));
  if (verified.status !== 200) return "unknown";
  return STATES.get(await entry(await json(verified), idx)) ?? "unknown";
}

// The entry at an index, packed from the lowest bit (§4.1); undefined beyond the list.
async function entry({ bits, lst }, index) {
  const packed = new Blob([decode(lst)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(packed).arrayBuffer());
  const at = index * bits;
  const byte = bytes[Math.floor(at / 8)];
  return byte === undefined ? undefined : (byte >> at % 8) & ((1 << bits) - 1);
}
