// Answering a request (OpenID4VP 1.0); the browser's half of idp_wallet/request.py and present.py.

import { encode } from "./base64url.js";
import { encrypt } from "./jwe.js";
import { parameters } from "./links.js";
import { present } from "./sd-jwt.js";
import { Stopped } from "./stopped.js";
import { call, form, isOurs, json, jsonBody } from "./web.js";

const MEDIA_TYPE = "application/oauth-authz-req+jwt";

// The facts of a request that the wallet's server has verified (idp_wallet/site.py, _facts).
export async function readRequest(search) {
  const given = parameters(search);
  const clientId = given.get("client_id");
  const address = given.get("request_uri");
  const method = given.get("request_uri_method") ?? "get";
  if (!clientId || !address || !["get", "post"].includes(method)) throw new Stopped("link_unreadable");
  const nonce = method === "post" ? encode(crypto.getRandomValues(new Uint8Array(16))) : "";
  const asked = method === "post" ? form({ wallet_nonce: nonce }) : {};
  const response = await call(address, { ...asked, headers: { Accept: MEDIA_TYPE } });
  if (response.status !== 200) throw new Stopped("request_gone", await description(response));
  const question = {
    request_object: await response.text(),
    client_id: clientId,
    wallet_nonce: nonce,
  };
  const verified = await call(`${location.origin}/wallet/verify`, jsonBody(question));
  const facts = await json(verified);
  if (verified.status !== 200) throw new Stopped(facts.error ?? "request_untrusted");
  if (!isOurs(facts.response_uri)) throw new Stopped("other_site");
  return facts;
}

// Send the chosen claims; gives the address to go on at, "" for none (§8.2).
export async function accept(request, choices, nowSeconds) {
  const claims = { iat: nowSeconds, aud: request.client_id, nonce: request.nonce };
  const token = {};
  for (const { id, card, disclosures } of choices) {
    token[id] = [await present(card.sdJwt, disclosures, card.keys, claims)];
  }
  return send(request, { vp_token: token });
}

// Say no (§8.5).
export function decline(request) {
  return send(request, { error: "access_denied" });
}

export async function answerFields(request, answer) {
  const whole = request.state === null ? answer : { ...answer, state: request.state };
  if (request.encryption) {
    const { jwk, enc } = request.encryption;
    return { response: await encrypt(whole, jwk, enc) };
  }
  const plain = Object.entries(whole).map(([name, value]) => [
    name,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  return Object.fromEntries(plain);
}

async function send(request, answer) {
  const response = await call(request.response_uri, form(await answerFields(request, answer)));
  if (response.status !== 200) throw new Stopped("answer_refused", await description(response));
  const { redirect_uri: address } = await json(response);
  if (address === undefined) return "";
  if (!isSafe(address)) throw new Stopped("answer_refused");
  return address;
}

// What the verifier says of its refusal (RFC 6749 §5.2: ASCII), shortened.
async function description(response) {
  const { error_description: text } = await json(response);
  return typeof text === "string" ? text.replaceAll(/[^\x20-\x7e]/g, "").slice(0, 160) : "";
}

function isSafe(address) {
  if (typeof address !== "string") return false;
  try {
    return new URL(address).protocol === "https:" || isOurs(address);
  } catch {
    return false;
  }
}
