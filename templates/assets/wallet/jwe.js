// A compact JWE by ECDH-ES on P-256 with A128GCM or A256GCM (RFC 7516, RFC 7518 §4.6).

import { concat, encode, encodeJson, utf8 } from "./base64url.js";

const CURVE = { name: "ECDH", namedCurve: "P-256" };
const BITS = { A128GCM: 128, A256GCM: 256 };

export async function encrypt(claims, jwk, enc) {
  const bits = BITS[enc];
  if (!bits) throw new Error("enc");
  const { kty, crv, x, y } = jwk;
  const theirs = await crypto.subtle.importKey("jwk", { kty, crv, x, y }, CURVE, false, []);
  const ours = await crypto.subtle.generateKey(CURVE, false, ["deriveBits"]);
  const header = { alg: "ECDH-ES", enc, epk: await ephemeral(ours.publicKey) };
  if (jwk.kid) header.kid = jwk.kid;

  const shared = await crypto.subtle.deriveBits({ name: "ECDH", public: theirs }, ours.privateKey, 256);
  const key = await contentKey(new Uint8Array(shared), enc, bits);
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const protectedHeader = encodeJson(header);
  const algorithm = { name: "AES-GCM", iv, additionalData: utf8(protectedHeader), tagLength: 128 };
  const sealed = await crypto.subtle.encrypt(algorithm, key, utf8(JSON.stringify(claims)));
  const text = new Uint8Array(sealed, 0, sealed.byteLength - 16);
  const tag = new Uint8Array(sealed, sealed.byteLength - 16);
  return [protectedHeader, "", encode(iv), encode(text), encode(tag)].join(".");
}

async function ephemeral(publicKey) {
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", publicKey);
  return { kty, crv, x, y };
}

// Concat KDF (NIST SP 800-56A): one round of SHA-256 is enough for 256 bits. No apu, no apv.
async function contentKey(shared, enc, bits) {
  const name = utf8(enc);
  const input = concat(number(1), shared, number(name.length), name, number(0), number(0), number(bits));
  const derived = await crypto.subtle.digest("SHA-256", input);
  return crypto.subtle.importKey("raw", derived.slice(0, bits / 8), "AES-GCM", false, ["encrypt"]);
}

function number(value) {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}
