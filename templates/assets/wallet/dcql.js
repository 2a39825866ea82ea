// Which card answers a question, and with which claims (DCQL, OpenID4VP 1.0 §6).
// The question's form was checked by the server that verified the request (/wallet/verify).

import { encode } from "./base64url.js";
import { find } from "./sd-jwt.js";
import { Stopped } from "./stopped.js";

const FORMAT = "dc+sd-jwt";

// cards: [{ sdJwt, … }], newest first. Gives [{ id, card, names, disclosures }].
export function choose(query, cards, nowSeconds) {
  const held = cards.filter(({ sdJwt }) => !(sdJwt.payload.exp <= nowSeconds));
  const found = new Map();
  for (const part of query.credentials) {
    const choice = answer(part, held);
    if (choice) found.set(part.id, choice);
  }
  const wanted = query.credential_sets
    ? options(query.credential_sets, found)
    : query.credentials.map((part) => part.id);
  if (!wanted.length || wanted.some((id) => !found.has(id))) throw new Stopped("nothing_to_show");
  return [...new Set(wanted)].map((id) => found.get(id));
}

// The first option of each required set that can be met; optional sets are left out (§6.4.2).
function options(sets, found) {
  const wanted = [];
  for (const set of sets) {
    if (set.required === false) continue;
    const option = set.options.find((ids) => ids.every((id) => found.has(id)));
    if (!option) return [];
    wanted.push(...option);
  }
  return wanted;
}

function answer(part, held) {
  for (const card of held) {
    const { payload, header, root } = card.sdJwt;
    if (part.format !== FORMAT || !part.meta?.vct_values?.includes(payload.vct)) continue;
    if (part.trusted_authorities && !isFrom(header.x5c ?? [], part.trusted_authorities)) continue;
    const shown = claims(part, root);
    if (shown) return { id: part.id, card, ...shown };
  }
  return null;
}

function claims(part, root) {
  if (!part.claims) return { names: [], disclosures: [] };
  const byId = new Map(part.claims.map((claim, number) => [claim.id ?? String(number), claim]));
  for (const ids of part.claim_sets ?? [[...byId.keys()]]) {
    const found = ids.map((id) => matching(byId.get(id), root));
    if (!found.every((match) => match.length)) continue;
    return {
      names: ids.map((id) => byId.get(id).path.map((step) => step ?? "*").join(".")),
      disclosures: [...new Set(found.flat().flatMap((one) => one.disclosures))],
    };
  }
  return null;
}

function matching(claim, root) {
  const found = find(root, claim.path);
  return claim.values ? found.filter((one) => claim.values.includes(one.value)) : found;
}

// Whether the issuer's chain names one of these authorities (§6.1.1.1; only aki is known here).
function isFrom(x5c, authorities) {
  const known = x5c.map(authorityKey).filter(Boolean);
  return authorities.some(
    ({ type, values }) => type === "aki" && values.some((value) => known.includes(value)),
  );
}

// The authority key identifier of a certificate: extension 2.5.29.35, its [0] keyIdentifier. The
// card was accepted when it was received, so finding the extension by its OID is enough here.
function authorityKey(base64) {
  const der = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const mark = [0x06, 0x03, 0x55, 0x1d, 0x23, 0x04];
  const at = der.findIndex((_, index) => mark.every((byte, step) => der[index + step] === byte));
  if (at < 0 || der[at + 7] !== 0x30 || der[at + 9] !== 0x80) return "";
  return encode(der.slice(at + 11, at + 11 + der[at + 10]));
}
