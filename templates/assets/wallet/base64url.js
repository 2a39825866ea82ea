// Base64url and UTF-8 (RFC 7515 §2): the small change of everything JOSE.

export function encode(bytes) {
  let text = "";
  for (const byte of new Uint8Array(bytes)) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function decode(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new Error("not base64url");
  const raw = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(raw, (character) => character.charCodeAt(0));
  if (encode(bytes) !== text) throw new Error("base64url with stray bits");
  return bytes;
}

export function utf8(text) {
  return new TextEncoder().encode(text);
}

export function encodeJson(value) {
  return encode(utf8(JSON.stringify(value)));
}

export function decodeJson(text) {
  return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(decode(text)));
}

export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export async function sha256(text) {
  return encode(await crypto.subtle.digest("SHA-256", utf8(text)));
}
