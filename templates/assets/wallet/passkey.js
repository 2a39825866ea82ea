// Fingerprint, face or screen lock instead of typing the PIN (WebAuthn L3 §5.1.3, §5.1.4). Only this
// phone asks and only this phone answers: no server sees it, and it signs nobody in.

import { encode } from "./base64url.js";

export async function isAvailable() {
  const asks = window.PublicKeyCredential?.isUserVerifyingPlatformAuthenticatorAvailable;
  return Boolean(asks && (await asks.call(PublicKeyCredential)));
}

// A passkey's id for `ask`, null when the person or the phone says no.
export async function create(name) {
  const publicKey = {
    rp: { name },
    user: { id: random(16), name, displayName: name },
    challenge: random(32),
    pubKeyCredParams: [-7, -257].map((alg) => ({ type: "public-key", alg })),
    authenticatorSelection: {
      authenticatorAttachment: "platform",
      residentKey: "discouraged", // it must not be offered on the sign-in page
      userVerification: "required",
    },
    attestation: "none",
    timeout: 60_000,
  };
  const made = await quietly(navigator.credentials.create({ publicKey }));
  return made && new Uint8Array(made.rawId);
}

// Whether the phone has just recognised its owner.
export async function ask(id) {
  const challenge = random(32);
  const publicKey = {
    challenge,
    allowCredentials: [{ type: "public-key", id, transports: ["internal"] }],
    userVerification: "required",
    timeout: 60_000,
  };
  const answer = await quietly(navigator.credentials.get({ publicKey }));
  return Boolean(answer) && (await isGenuine(answer.response, challenge));
}

// Made for this question and this site, with the person verified (§7.2 steps 10 to 17).
async function isGenuine({ authenticatorData, clientDataJSON }, challenge) {
  const client = JSON.parse(new TextDecoder().decode(clientDataJSON));
  const data = new Uint8Array(authenticatorData);
  const site = new Uint8Array(
    await crypto.subtle.digest("SHA-256", new TextEncoder().encode(location.hostname)),
  );
  return (
    client.type === "webauthn.get" &&
    client.challenge === encode(challenge) &&
    client.origin === location.origin &&
    site.every((byte, at) => byte === data[at]) &&
    (data[32] & 0b101) === 0b101
  );
}

async function quietly(question) {
  try {
    return await question;
  } catch {
    return null; // cancelled, timed out or not possible: the PIN is there
  }
}

function random(length) {
  return crypto.getRandomValues(new Uint8Array(length));
}
