// "Are you sure?", in a dialog of the page.

import { byId, word } from "./page.js";

// Whether the person says yes to the question with this code; Escape says no.
export function sure(code) {
  const dialog = byId("sure");
  byId("sure-question").textContent = word(code);
  byId("sure-yes").textContent = word(`${code}_yes`);
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
