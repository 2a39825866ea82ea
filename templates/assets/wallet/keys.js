// The holder's keys: P-256, made here, never exportable (WebCrypto keeps the private half).

import { encode, encodeJson, utf8 } from "./base64url.js";

const CURVE = { name: "ECDSA", namedCurve: "P-256" };

export function newKey() {
  return crypto.subtle.generateKey(CURVE, false, ["sign", "verify"]);
}

export async function publicJwk(pair) {
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", pair.publicKey);
  return { kty, crv, x, y };
}

// A compact JWS with ES256; WebCrypto signs in the form that JWS wants (RFC 7518 §3.4).
export async function signJwt(typ, claims, pair, header = {}) {
  const input = `${encodeJson({ alg: "ES256", typ, ...header })}.${encodeJson(claims)}`;
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  const signature = await crypto.subtle.sign(algorithm, pair.privateKey, utf8(input));
  return `${input}.${encode(signature)}`;
}
