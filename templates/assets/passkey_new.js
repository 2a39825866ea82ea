"use strict";
// Makes a passkey with the options on this page and sends it with the form (WebAuthn L3 §7.1).
(() => {
  const form = document.getElementById("new-passkey");
  const message = document.getElementById("passkey-status");
  const button = form.querySelector("button[type=submit]");
  const deadline = performance.now() + Number(form.dataset.expiresInS) * 1000;
  const WORDS = {
    NotAllowedError: "Cancelled",
    AbortError: "Cancelled",
    InvalidStateError: "There",
    ConstraintError: "Unfit",
    NotSupportedError: "Unfit",
    SecurityError: "Insecure",
  };

  const say = (name) => {
    message.textContent = form.dataset[`text${name}`];
  };

  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));

  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replace(/\+/g, "-")
      .replace(/\//g, "_")
      .replace(/=+$/, "");

  function options() {
    const given = JSON.parse(form.dataset.options);
    return {
      ...given,
      challenge: bytes(given.challenge),
      user: { ...given.user, id: bytes(given.user.id) },
      excludeCredentials: (given.excludeCredentials || []).map((one) => ({
        ...one,
        id: bytes(one.id),
      })),
    };
  }

  /** PublicKeyCredential.toJSON(), for browsers that have none (WebAuthn L3 §5.1). */
  function written({ id, rawId, type, authenticatorAttachment, response }) {
    return {
      id,
      rawId: text(rawId),
      type,
      authenticatorAttachment: authenticatorAttachment || undefined,
      clientExtensionResults: {},
      response: {
        attestationObject: text(response.attestationObject),
        clientDataJSON: text(response.clientDataJSON),
        transports: response.getTransports ? response.getTransports() : [],
      },
    };
  }

  async function make() {
    if (performance.now() > deadline) {
      location.reload(); // the page has fresh options then
      return;
    }
    button.disabled = true;
    say("Asking");
    try {
      const made = await navigator.credentials.create({ publicKey: options() });
      say("Sending");
      const json = typeof made.toJSON === "function" ? made.toJSON() : written(made);
      form.elements.credential.value = JSON.stringify(json);
      form.submit();
    } catch (error) {
      button.disabled = false;
      say(WORDS[error.name] || "Failed");
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!button.disabled) make();
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
  if (!window.PublicKeyCredential) {
    button.disabled = true;
    say("Unsupported");
  }
})();
