// Calls from the wallet: to its own site only, without cookies, redirects never followed.

import { Stopped } from "./stopped.js";

export function isOurs(address) {
  try {
    return new URL(address).origin === location.origin;
  } catch {
    return false;
  }
}

export async function call(address, options = {}) {
  if (!isOurs(address)) throw new Stopped("other_site");
  const fixed = {
    credentials: "omit",
    redirect: "error",
    cache: "no-store",
    referrerPolicy: "no-referrer",
    signal: AbortSignal.timeout(20_000),
  };
  try {
    return await fetch(address, { ...options, ...fixed });
  } catch {
    throw new Stopped("unreachable");
  }
}

// The answer as a JSON object, {} when it is none.
export async function json(response) {
  try {
    const value = await response.json();
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

export function form(fields) {
  return { method: "POST", body: new URLSearchParams(fields), headers: { Accept: "application/json" } };
}

export function jsonBody(body, headers = {}) {
  return {
    method: "POST",
    body: JSON.stringify(body),
    headers: { Accept: "application/json", "Content-Type": "application/json", ...headers },
  };
}
