// Links that a wallet is opened with, however they arrive; gives the wallet's own address for them.

import { Stopped } from "./stopped.js";

const PAGES = new Map([
  ["openid-credential-offer:", "/wallet/receive"],
  ["haip-vci:", "/wallet/receive"],
  ["openid4vp:", "/wallet/present"],
  ["haip-vp:", "/wallet/present"],
]);

export function pageFor(text) {
  const link = text.trim();
  let parts;
  try {
    parts = new URL(link);
  } catch {
    throw new Stopped("link_unreadable");
  }
  const query = link.includes("?") ? link.slice(link.indexOf("?")).split("#")[0] : "";
  const own = parts.origin === location.origin && [...PAGES.values()].includes(parts.pathname);
  const page = own ? parts.pathname : PAGES.get(parts.protocol);
  if (!page || !query || link.length > 8192) throw new Stopped("link_unreadable");
  return page + query;
}

// The parameters of an address, each at most once.
export function parameters(search) {
  const pairs = [...new URLSearchParams(search)];
  const found = new Map(pairs);
  if (found.size !== pairs.length) throw new Stopped("link_unreadable");
  return found;
}
