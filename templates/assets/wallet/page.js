// What the pages share: words, states, the two sides of a card. Text goes in by textContent only.

import { Stopped } from "./stopped.js";

const PORTRAIT = /^data:image\/(jpeg|png|webp);base64,[A-Za-z0-9+/=]+$/;

export const now = () => Math.floor(Date.now() / 1000);
export const byId = (id) => document.getElementById(id);
export const language = () => byId("main").dataset.language;

// A word of the page in its language, by its code ("code_refused" -> data-code-refused).
export function word(code) {
  return byId("words").getAttribute(`data-${String(code).replaceAll("_", "-")}`);
}

// In the phone's own zone, which is said.
export function moment(at) {
  const plain = new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "medium" });
  const parts = new Intl.DateTimeFormat(language(), { timeZoneName: "short" }).formatToParts(at);
  const zone = parts.find(({ type }) => type === "timeZoneName").value;
  return `${plain.format(at)} ${zone}`;
}

// Show one state of the page and let its heading be read out.
export function show(state) {
  for (const section of document.querySelectorAll("[data-state]")) {
    section.hidden = section.dataset.state !== state;
  }
  for (const back of document.querySelectorAll("[data-back]")) {
    back.hidden = !back.dataset.back.split(" ").includes(state);
  }
  document.querySelector(`[data-state="${state}"] h1`)?.focus();
}

export function tell(error) {
  const code = error instanceof Stopped ? error.code : "wallet_stopped";
  if (code === "wallet_stopped") console.error(error);
  const place = byId("error");
  place.textContent = word(code) ?? word("wallet_stopped");
  if (error.said) place.append(said(error.said));
  place.dataset.code = code;
  place.hidden = false;
}

// What the other side said, in its own words: untrusted text, so no more than text.
function said(text) {
  const line = document.createElement("span");
  line.className = "said";
  line.textContent = text;
  return line;
}

export function forget() {
  byId("error").hidden = true;
}

// A card like the plastic one: its front, its back, and a button that turns it.
export function face(card) {
  const copy = byId("card-face").content.firstElementChild.cloneNode(true);
  const { claims, payload } = card.sdJwt;
  const shown = { ...claims, valid_until: Number.isFinite(payload.exp) ? day(payload.exp) : "" };
  for (const field of copy.querySelectorAll("[data-field]")) {
    const value = shown[field.dataset.field];
    field.textContent = typeof value === "string" ? value : "";
  }
  const portrait = copy.querySelector("[data-portrait]");
  if (PORTRAIT.test(claims.portrait)) portrait.src = claims.portrait;
  copy.querySelector("[data-flip]").addEventListener("click", () => flip(copy));
  return copy;
}

export function claimName(path) {
  return word(`claim_${path}`) ?? path;
}

function flip(holder) {
  const [front, back] = holder.querySelectorAll(".card");
  [front.hidden, back.hidden] = [back.hidden, front.hidden];
  holder.querySelector("[data-flip]").textContent = word(back.hidden ? "show_back" : "show_front");
}

// As the card writes its days: YYYY-MM-DD, in Korea.
function day(seconds) {
  return new Intl.DateTimeFormat("sv-SE", { timeZone: "Asia/Seoul" }).format(seconds * 1000);
}
