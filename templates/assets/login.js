"use strict";
// The QR page: paints the frame of each second by the server's clock, and asks how the login stands.
// It only reads, and goes where the answer says; the page works without it too.
(() => {
  const root = document.getElementById("login");
  const picture = document.getElementById("qr");
  const message = document.getElementById("login-status");
  const code = document.getElementById("login-code");
  const timeLeft = document.getElementById("time-left");
  const otherDevice = document.getElementById("other-device");

  const QUIET_ZONE = 4; // modules of white around the code (ISO/IEC 18004 §9.1)
  const FRAME_LIFE_MS = 8000; // an older frame would no longer answer: better no code than a dead one
  const POLL_MS = { waiting: 2000, scanned: 700, proved: 700, ready: 700, offline: 2000 };
  const HIDDEN_POLL_MS = 10000;
  const OVER = new Set(["expired", "failed"]);
  const GONE = new Set([400, 401, 403, 404, 410]);

  const deadline = performance.now() + Number(root.dataset.expiresInS) * 1000;
  let step = root.dataset.state;
  let frames = new Map(); // second -> packed bits
  let size = 0;
  let clock = null; // {elapsed, at}: the server's milliseconds since the QR began, and when we knew
  let painted = -1;
  let pollTimer = 0;
  let paintTimer = 0;
  let asking = false;
  let leaving = false;
  let failures = 0;
  let warned = false;

  // --- the picture ---

  /** Packed row-major bits, most significant first, as one SVG path of runs of dark modules. */
  function pathOf(bits, width) {
    const bytes = Uint8Array.from(atob(bits), (sign) => sign.charCodeAt(0));
    const dark = (x, y) => {
      const at = y * width + x;
      return (bytes[at >> 3] >> (7 - (at & 7))) & 1;
    };
    let path = "";
    for (let y = 0; y < width; y += 1) {
      for (let x = 0; x < width; x += 1) {
        const from = x;
        while (x < width && dark(x, y)) x += 1;
        if (x > from) path += `M${from + QUIET_ZONE} ${y + QUIET_ZONE}h${x - from}v1h${from - x}z`;
      }
    }
    return path;
  }

  /** Our own drawing in place of the server's first frame. */
  function drawingPath() {
    const whole = size + 2 * QUIET_ZONE;
    const found = picture.querySelector("path[data-size]");
    if (found && Number(found.dataset.size) === size) return found;
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    svg.setAttribute("viewBox", `0 0 ${whole} ${whole}`);
    svg.setAttribute("shape-rendering", "crispEdges");
    svg.setAttribute("aria-hidden", "true");
    const path = document.createElementNS(space, "path");
    path.setAttribute("fill", "#000");
    path.dataset.size = String(size);
    svg.append(path);
    picture.replaceChildren(svg);
    return path;
  }

  const elapsed = () => clock.elapsed + performance.now() - clock.at;

  function paint() {
    clearTimeout(paintTimer);
    if (!clock || !(step === "waiting" || step === "offline")) return;
    const second = Math.floor(elapsed() / 1000);
    const best = Math.max(-1, ...[...frames.keys()].filter((key) => key <= second));
    if (best >= 0 && best !== painted) {
      drawingPath().setAttribute("d", pathOf(frames.get(best), size));
      picture.dataset.second = String(best);
      painted = best;
    }
    const dead = (second - best) * 1000 > FRAME_LIFE_MS;
    root.classList.toggle("stale", dead);
    paintTimer = setTimeout(paint, 1000 - (elapsed() % 1000) + 5);
  }

  // --- words ---

  function say(text) {
    if (message.textContent !== text) message.textContent = text;
  }

  function show(next) {
    if (next === step && root.dataset.state === next) return;
    step = next;
    root.dataset.state = next;
    const name = next[0].toUpperCase() + next.slice(1);
    say(root.dataset[`text${name}`] || root.dataset.textProved);
    const known = root.dataset[`code${name}`];
    code.hidden = !known;
    code.lastElementChild.textContent = known || "";
  }

  function showTime() {
    const left = Math.max(0, Math.ceil((deadline - performance.now()) / 1000));
    const running = step === "waiting" || step === "offline";
    const time = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    timeLeft.textContent = running && left ? root.dataset.textLeft.replace("{time}", time) : "";
    if (step === "waiting" && left <= 30 && left > 0 && !warned) {
      warned = true; // said once, in good time, not every second
      say(root.dataset.textSoon);
    }
  }

  // --- asking ---

  /** Go on to a page of this site, and to no other. */
  function leave(address) {
    const target = new URL(address, location.href);
    if (target.origin !== location.origin) return false;
    leaving = true;
    location.replace(target.href);
    return true;
  }

  function take(status) {
    if (Number.isFinite(status.elapsed_ms)) {
      // Counted from the arrival: a little late is within the frame's life, early would be refused.
      clock = { elapsed: status.elapsed_ms, at: performance.now() };
    }
    if (Array.isArray(status.frames) && Number.isInteger(status.size)) {
      if (status.size !== size) painted = -1;
      size = status.size;
      frames = new Map(status.frames.map((frame) => [frame.second, frame.bits]));
    }
    if (Array.isArray(status.links)) {
      // Links on this device carry a frame as well: they must stay as young as the picture.
      for (const link of document.querySelectorAll("a[data-wallet]")) {
        const fresh = status.links[Number(link.dataset.wallet)];
        if (typeof fresh === "string" && !/^\s*javascript:/i.test(fresh)) link.href = fresh;
      }
    }
    if (status.next && leave(status.next)) return;
    // Something went wrong on a phone: the page itself has the words for it.
    if (typeof status.setback === "string" && status.setback !== root.dataset.setback) {
      if (leave(location.href)) return;
    }
    show(status.step);
    paint();
  }

  async function poll() {
    if (asking || leaving || OVER.has(step)) return;
    asking = true;
    clearTimeout(pollTimer);
    let pause = null;
    try {
      const response = await fetch(root.dataset.statusUrl, {
        cache: "no-store",
        redirect: "error",
        headers: { Accept: "application/json" },
        signal: AbortSignal.timeout(8000),
      });
      if (GONE.has(response.status)) {
        show("expired");
      } else if (!response.ok) {
        pause = Number(response.headers.get("Retry-After")) * 1000 || null;
        throw new Error(String(response.status));
      } else {
        failures = 0;
        take(await response.json());
      }
    } catch {
      // Away, too slow, or not our JSON: one lost poll says nothing, the second does.
      failures += 1;
      if (failures > 1 && step === "waiting") show("offline");
    }
    asking = false;
    plan(pause);
  }

  function plan(pause) {
    clearTimeout(pollTimer);
    if (leaving || OVER.has(step)) return;
    const usual = document.hidden ? HIDDEN_POLL_MS : POLL_MS[step] || 2000;
    pollTimer = setTimeout(poll, pause || Math.min(usual * (1 + failures), HIDDEN_POLL_MS));
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) poll();
  });
  window.addEventListener("online", poll);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });

  // On a phone the QR is for another device: folded, but open where no script can unfold it again.
  if (otherDevice && step === "waiting") otherDevice.open = false;

  setInterval(showTime, 1000);
  showTime();
  poll();
})();
