// SD-JWT VC from the holder's side (RFC 9901): the same tree as plugins/idp_wallet/sd_jwt.py.
// A node is { value, disclosure }; value is a scalar, a Map of nodes, or an array of nodes.

import { decodeJson, sha256 } from "./base64url.js";
import { signJwt } from "./keys.js";

const MAX_DEPTH = 32;
const MAX_DISCLOSURES = 128;
const MAX_LENGTH = 256 * 1024;

export async function parse(text) {
  if (text.length > MAX_LENGTH || !text.endsWith("~")) throw new Error("not an SD-JWT");
  const [jwt, ...disclosures] = text.slice(0, -1).split("~");
  const parts = jwt.split(".");
  if (parts.length !== 3 || disclosures.length > MAX_DISCLOSURES) throw new Error("not an SD-JWT");
  const header = decodeJson(parts[0]);
  const payload = decodeJson(parts[1]);
  if (!isObject(header) || !isObject(payload)) throw new Error("not a JWT");
  if ((payload._sd_alg ?? "sha-256") !== "sha-256") throw new Error("_sd_alg");
  const byDigest = new Map();
  for (const disclosure of disclosures) byDigest.set(await sha256(disclosure), disclosure);
  if (byDigest.size !== disclosures.length) throw new Error("a disclosure is repeated");
  const { _sd_alg: _, ...open } = payload;
  const state = { byDigest, seen: new Set() };
  const root = read(state, open, "", 0);
  if ([...byDigest.keys()].some((digest) => !state.seen.has(digest))) {
    throw new Error("a disclosure belongs to nothing");
  }
  return { jwt, header, payload, root, claims: plain(root) };
}

// The claims that a path selects, each with all disclosures needed to show it (VP 1.0 §7).
export function find(root, path) {
  let found = [{ node: root, via: [] }];
  for (const part of path) {
    found = found.flatMap(({ node, via }) =>
      step(node, part).map((child) => ({ node: child, via: [...via, child.disclosure] })),
    );
  }
  return found.map(({ node, via }) => ({
    value: plain(node),
    disclosures: [...via, ...beneath(node)].filter(Boolean),
  }));
}

// A presentation with exactly these disclosures, bound to its occasion (RFC 9901 §4.3).
export async function present(credential, disclosures, pair, claims) {
  const shown = [credential.jwt, ...disclosures, ""].join("~");
  return shown + (await signJwt("kb+jwt", { ...claims, sd_hash: await sha256(shown) }, pair));
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function plain(node) {
  if (node.value instanceof Map) {
    return Object.fromEntries([...node.value].map(([name, child]) => [name, plain(child)]));
  }
  return Array.isArray(node.value) ? node.value.map(plain) : node.value;
}

function step(node, part) {
  if (typeof part === "string") {
    return node.value instanceof Map && node.value.has(part) ? [node.value.get(part)] : [];
  }
  if (!Array.isArray(node.value)) return [];
  return part === null ? node.value : node.value.slice(part, part + 1);
}

function beneath(node) {
  const children =
    node.value instanceof Map ? [...node.value.values()] : Array.isArray(node.value) ? node.value : [];
  return children.flatMap((child) => [child.disclosure, ...beneath(child)]);
}

function read(state, value, disclosure, depth) {
  if (depth >= MAX_DEPTH) throw new Error("nested too deeply");
  if (Array.isArray(value)) return { value: readArray(state, value, depth + 1), disclosure };
  if (isObject(value)) return { value: readObject(state, value, depth + 1), disclosure };
  return { value, disclosure };
}

function readObject(state, value, depth) {
  if (Object.hasOwn(value, "...")) throw new Error("a reserved name");
  const nodes = new Map();
  for (const [name, child] of Object.entries(value)) {
    if (name !== "_sd") nodes.set(name, read(state, child, "", depth));
  }
  const digests = Object.hasOwn(value, "_sd") ? value._sd : [];
  if (!Array.isArray(digests)) throw new Error("_sd");
  for (const digest of digests) {
    const { disclosure, parts } = open(state, digest, 3);
    if (!parts) continue;
    const name = parts[1];
    if (typeof name !== "string" || name === "_sd" || name === "...") throw new Error("a reserved name");
    if (nodes.has(name)) throw new Error("a disclosure covers another claim");
    nodes.set(name, read(state, parts[2], disclosure, depth));
  }
  return nodes;
}

function readArray(state, value, depth) {
  const nodes = [];
  for (const child of value) {
    if (!(isObject(child) && Object.hasOwn(child, "..."))) {
      nodes.push(read(state, child, "", depth));
      continue;
    }
    if (Object.keys(child).length !== 1) throw new Error("a reserved name");
    const { disclosure, parts } = open(state, child["..."], 2);
    if (parts) nodes.push(read(state, parts[1], disclosure, depth));
  }
  return nodes;
}

// The disclosure behind a digest; nothing for a decoy. Each digest counts once.
function open(state, digest, length) {
  if (typeof digest !== "string" || state.seen.has(digest)) throw new Error("a digest is repeated");
  state.seen.add(digest);
  const disclosure = state.byDigest.get(digest);
  if (disclosure === undefined) return {};
  const parts = decodeJson(disclosure);
  if (!Array.isArray(parts) || parts.length !== length) throw new Error("a disclosure's form");
  return { disclosure, parts };
}
