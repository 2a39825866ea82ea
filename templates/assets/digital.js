"use strict";
// The browser asks for the mobile ID itself, where it can (W3C Digital Credentials API): no QR, no code to type.
(() => {
  const part = document.getElementById("digital");
  const form = part.querySelector("form");
  const message = document.getElementById("digital-status");
  const PROTOCOL = "openid4vp-v1-signed";
  let busy = false;

  const say = (name) => {
    message.textContent = part.dataset[`text${name}`];
  };

  function able() {
    if (!window.DigitalCredential) return false;
    const allows = DigitalCredential.userAgentAllowsProtocol;
    return !allows || allows.call(DigitalCredential, PROTOCOL);
  }

  async function ask() {
    const request = await fetch(part.dataset.requestUrl, { cache: "no-store" });
    if (!request.ok) {
      location.reload(); // the sign-in is over, or at another step: the page says so
      return;
    }
    const digital = await request.json();
    const { protocol, data } = await navigator.credentials.get({ mediation: "required", digital });
    say("Sending");
    form.elements.credential.value = JSON.stringify({ protocol, data });
    form.submit();
  }

  if (!able()) return;
  part.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    say("Asking");
    try {
      await ask();
    } catch {
      say("Cancelled"); // the person said no, or there is no wallet: nothing was sent
    }
    busy = false;
  });
})();
