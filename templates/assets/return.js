"use strict";
// The return code, on the phone and at the desk: says when the sign-in is done or over.
(() => {
  const { progressUrl: address, nextUrl: next } = document.getElementById("return").dataset;
  const EVERY_MS = 2000;
  const PATIENCE = 120; // as long as a login lives, with some to spare
  let asked = 0;

  async function ask() {
    asked += 1;
    let step = "proved";
    try {
      const response = await fetch(address, { cache: "no-store", redirect: "error" });
      if (response.ok) step = (await response.json()).step;
      else if (response.status < 500) step = "over";
    } catch {
      // Away for a moment: ask again.
    }
    if (step === "proved" || document.hidden) {
      if (asked < PATIENCE) setTimeout(ask, EVERY_MS);
    } else {
      if (next) location.replace(next);
      else location.reload();
    }
  }

  setTimeout(ask, EVERY_MS);
})();
