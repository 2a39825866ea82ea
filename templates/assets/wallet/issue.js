// Receiving a card (OpenID4VCI 1.0, pre-authorized code); the browser's half of idp_wallet/receive.py.

import { newKey, publicJwk, signJwt } from "./keys.js";
import { parameters } from "./links.js";
import { parse } from "./sd-jwt.js";
import { Stopped } from "./stopped.js";
import { call, form, isOurs, json, jsonBody } from "./web.js";

const PRE_AUTHORIZED = "urn:ietf:params:oauth:grant-type:pre-authorized_code";
const FORMAT = "dc+sd-jwt";

// Who offers what: { issuer, name, configuration, vct, code, txCode, endpoints }.
export async function readOffer(search, language) {
  const offer = await offerDocument(parameters(search));
  const grant = offer.grants?.[PRE_AUTHORIZED];
  const issuer = offer.credential_issuer;
  const code = grant?.["pre-authorized_code"];
  if (typeof issuer !== "string" || typeof code !== "string") throw new Stopped("offer_refused");
  if (!isOurs(issuer)) throw new Stopped("other_site");
  const metadata = await document_(issuer, "openid-credential-issuer");
  if (metadata.credential_issuer !== issuer) throw new Stopped("offer_refused");
  const listed = metadata.authorization_servers ?? [issuer];
  const at = grant.authorization_server ?? listed[0];
  if (!listed.includes(at)) throw new Stopped("offer_refused");
  const server = await document_(at, "oauth-authorization-server");
  if (server.issuer !== at) throw new Stopped("offer_refused");
  return {
    issuer,
    name: displayName(metadata.display, language) ?? new URL(issuer).host,
    ...usable(offer, metadata),
    code,
    txCode: grant.tx_code,
    token: server.token_endpoint,
    nonce: metadata.nonce_endpoint,
    credential: metadata.credential_endpoint,
  };
}

// A new card, checked and bound to a new key: { issuer, credential, keys }.
export async function receive(offer, txCode, nowSeconds) {
  const token = await accessToken(offer, txCode);
  const keys = await newKey();
  const jwk = await publicJwk(keys);
  const claims = { aud: offer.issuer, iat: nowSeconds };
  if (offer.nonce) claims.nonce = await freshNonce(offer);
  const proof = await signJwt("openid4vci-proof+jwt", claims, keys, { jwk });
  const request = { credential_configuration_id: offer.configuration, proofs: { jwt: [proof] } };
  const response = await call(offer.credential, jsonBody(request, { Authorization: `Bearer ${token}` }));
  const credential = (await json(response)).credentials?.[0]?.credential;
  if (response.status !== 200 || typeof credential !== "string") throw new Stopped("offer_refused");
  await check(credential, offer, jwk);
  return { issuer: offer.issuer, credential, keys };
}

async function offerDocument(given) {
  const address = given.get("credential_offer_uri");
  const inline = given.get("credential_offer");
  if (Boolean(address) === Boolean(inline)) throw new Stopped("link_unreadable");
  if (inline) {
    try {
      return JSON.parse(inline) ?? {};
    } catch {
      throw new Stopped("offer_refused");
    }
  }
  const response = await call(address);
  if (response.status !== 200) throw new Stopped("offer_gone");
  return json(response);
}

// Well-known stands between host and path (RFC 8414 §3.1).
async function document_(base, name) {
  if (!isOurs(base)) throw new Stopped("other_site");
  const { origin, pathname } = new URL(base);
  const response = await call(`${origin}/.well-known/${name}${pathname.replace(/\/$/, "")}`);
  if (response.status !== 200) throw new Stopped("offer_refused");
  return json(response);
}

function displayName(displays, language) {
  const named = Array.isArray(displays) ? displays.filter(({ name }) => typeof name === "string") : [];
  return (named.find(({ locale }) => locale?.startsWith(language)) ?? named[0])?.name;
}

// The first offered card that this wallet can hold: SD-JWT VC bound to a P-256 key.
function usable(offer, metadata) {
  for (const configuration of offer.credential_configuration_ids ?? []) {
    const found = metadata.credential_configurations_supported?.[configuration];
    const algorithms = found?.proof_types_supported?.jwt?.proof_signing_alg_values_supported ?? [];
    const bound = found?.cryptographic_binding_methods_supported?.includes("jwk");
    if (found?.format === FORMAT && bound && algorithms.includes("ES256")) {
      return { configuration, vct: found.vct };
    }
  }
  throw new Stopped("offer_refused");
}

async function accessToken(offer, txCode) {
  const fields = { grant_type: PRE_AUTHORIZED, "pre-authorized_code": offer.code };
  if (offer.txCode) fields.tx_code = txCode;
  const response = await call(offer.token, form(fields));
  const body = await json(response);
  if (response.status === 400 && body.error === "invalid_grant") throw new Stopped("code_refused");
  if (response.status !== 200 || typeof body.access_token !== "string") throw new Stopped("offer_refused");
  return body.access_token;
}

async function freshNonce(offer) {
  const response = await call(offer.nonce, form({}));
  const { c_nonce: nonce } = await json(response);
  if (response.status !== 200 || typeof nonce !== "string") throw new Stopped("offer_refused");
  return nonce;
}

// Signed by this issuer, of the promised type, bound to our key.
async function check(credential, offer, jwk) {
  let sdJwt;
  try {
    sdJwt = await parse(credential);
  } catch {
    throw new Stopped("offer_refused");
  }
  const { header, payload } = sdJwt;
  const bound = payload.cnf?.jwk ?? {};
  const ours = Object.entries(jwk).every(([name, value]) => bound[name] === value);
  if (header.typ !== FORMAT || payload.iss !== offer.issuer || payload.vct !== offer.vct || !ours) {
    throw new Stopped("offer_refused");
  }
  await checkSignature(sdJwt.jwt, offer.issuer);
}

// A browser cannot check certificates: the wallet's server does. The disclosures stay here.
async function checkSignature(jwt, issuer) {
  const verified = await call(`${location.origin}/wallet/verify-card`, jsonBody({ jwt, issuer }));
  if (verified.status !== 200) throw new Stopped("card_untrusted");
}
