"use strict";
// A passkey answers the challenge on this page: by the button, or from the browser's own list (autofill).
// The answer goes back in a form, so that the server leads the browser on as from any other page.
(() => {
  const form = document.getElementById("passkey");
  const buttons = document.querySelectorAll("[data-passkey]");
  const autofill = document.getElementById("passkey-autofill");
  const message = document.getElementById("passkey-status");
  const LAST = "gongmu-passkey-tried";

  const deadline = performance.now() + Number(form.dataset.expiresInS) * 1000;
  let waiting = null; // the abort of the quiet question
  let busy = false;

  const say = (name) => {
    message.textContent = name ? form.dataset[`text${name}`] : "";
  };

  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));

  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replace(/\+/g, "-")
      .replace(/\//g, "_")
      .replace(/=+$/, "");

  /** PublicKeyCredential.toJSON(), for browsers that have none (WebAuthn L3 §5.1). */
  function written({ id, rawId, type, authenticatorAttachment, response }) {
    const { authenticatorData, clientDataJSON, signature, userHandle } = response;
    return {
      id,
      rawId: text(rawId),
      type,
      authenticatorAttachment: authenticatorAttachment || undefined,
      clientExtensionResults: {},
      response: {
        authenticatorData: text(authenticatorData),
        clientDataJSON: text(clientDataJSON),
        signature: text(signature),
        userHandle: userHandle ? text(userHandle) : undefined,
      },
    };
  }

  function options() {
    const given = JSON.parse(form.dataset.options);
    return { ...given, challenge: bytes(given.challenge) };
  }

  function send(credential) {
    busy = true;
    say("Sending");
    sessionStorage.setItem(LAST, credential.id);
    const json = typeof credential.toJSON === "function" ? credential.toJSON() : written(credential);
    form.elements.credential.value = JSON.stringify(json);
    form.submit();
  }

  function words(error) {
    if (error.name === "NotAllowedError" || error.name === "AbortError") return "Cancelled";
    return error.name === "SecurityError" ? "Insecure" : "Failed";
  }

  /** The person pressed the button: the browser shows its own window. */
  async function ask() {
    if (busy) return;
    if (performance.now() > deadline) {
      location.reload(); // the page has a fresh challenge, or says that the sign-in is over
      return;
    }
    busy = true;
    if (waiting) waiting.abort();
    say("Asking");
    try {
      send(await navigator.credentials.get({ publicKey: options() }));
    } catch (error) {
      busy = false;
      say(words(error));
      offer();
    }
  }

  /** Quietly beside the page: the browser lists its passkeys at the field (mediation "conditional"). */
  async function offer() {
    const able = PublicKeyCredential.isConditionalMediationAvailable;
    if (!able || !(await able.call(PublicKeyCredential)) || busy) return;
    autofill.hidden = false;
    waiting = new AbortController();
    try {
      send(
        await navigator.credentials.get({
          publicKey: options(),
          mediation: "conditional",
          signal: waiting.signal,
        }),
      );
    } catch {
      // Taken back for the button, or nothing chosen: the button is there.
    }
  }

  /** A passkey that we do not know any more should vanish from the browser's list (WebAuthn L3 §5.1.10). */
  async function forget() {
    const refused = document.querySelector("[data-passkey-unknown]");
    const credentialId = sessionStorage.getItem(LAST);
    sessionStorage.removeItem(LAST);
    if (!refused || !credentialId || !PublicKeyCredential.signalUnknownCredential) return;
    try {
      await PublicKeyCredential.signalUnknownCredential({
        rpId: refused.dataset.passkeyUnknown,
        credentialId,
      });
    } catch {
      // The manager may keep it; nothing depends on that.
    }
  }

  if (!window.PublicKeyCredential) {
    say("Unsupported");
    return;
  }
  for (const button of buttons) {
    button.addEventListener("click", (event) => {
      event.preventDefault();
      ask();
    });
  }
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
  forget();
  offer();
})();
