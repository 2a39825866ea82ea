"use strict";
// Tells the person's passkey manager which of our passkeys still count, so that removed ones vanish from
// its lists (WebAuthn L3 §5.1.10). Nothing depends on whether it listens.
(() => {
  const { rpId, userId, accepted } = document.getElementById("passkeys").dataset;
  const tell = window.PublicKeyCredential?.signalAllAcceptedCredentials;
  if (!tell) return;
  const allAcceptedCredentialIds = accepted.split(" ").filter(Boolean);
  tell.call(PublicKeyCredential, { rpId, userId, allAcceptedCredentialIds }).catch(() => {});
})();
