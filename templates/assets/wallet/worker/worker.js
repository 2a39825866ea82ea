// The wallet without a network: the page /wallet and the wallet's own assets, nothing else, are kept.
// `KEPT` ({ version, assets }) is put before this text by idp_wallet/shell.py. The network comes first,
// so that a correction reaches every phone at once; what is kept serves only where no answer comes.

const START = "/wallet";
const PAGES = new Set([START, "/wallet/receive", "/wallet/present"]);
const CACHE = `gongmu-wallet-${KEPT.version}`;
const PATIENCE_MS = 5000;

self.addEventListener("install", (event) => event.waitUntil(keepAll()));
self.addEventListener("activate", (event) => event.waitUntil(takeOver()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (request.mode === "navigate" && PAGES.has(pathname)) event.respondWith(page(request, pathname));
  else if (KEPT.assets.includes(pathname)) event.respondWith(asset(request, pathname));
});

async function keepAll() {
  const cache = await caches.open(CACHE);
  await cache.addAll([START, ...KEPT.assets].map((path) => new Request(path, { cache: "reload" })));
  await self.skipWaiting();
}

async function takeOver() {
  for (const name of await caches.keys()) {
    if (name.startsWith("gongmu-wallet-") && name !== CACHE) await caches.delete(name);
  }
  await self.clients.claim();
}

// Without a network every page of the wallet is the card's.
async function page(request, pathname) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(START);
  try {
    const response = await soon(fetch(request), kept);
    if (pathname === START && response.ok && !response.redirected) await cache.put(START, response.clone());
    return response;
  } catch (error) {
    if (kept) return kept;
    throw error;
  }
}

async function asset(request, pathname) {
  const kept = await (await caches.open(CACHE)).match(pathname);
  try {
    return await soon(fetch(request), kept);
  } catch (error) {
    if (kept) return kept;
    throw error;
  }
}

// An answer, or an error after a while where something is kept: a bad network must not hide the card.
function soon(answer, kept) {
  if (!kept) return answer;
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error("late")), PATIENCE_MS));
  return Promise.race([answer, late]);
}
