// What makes the wallet an app on this phone: the worker that shows the card without a network.

export function start() {
  // Not everywhere possible (a private window): the wallet works without it.
  navigator.serviceWorker?.register("/wallet/worker.js", { scope: "/wallet" }).catch(() => {});
  // A page taken back from memory would pass the PIN by.
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}

// The browser may clear what it keeps when space runs out; asked once a card is here.
export async function keepForGood() {
  await navigator.storage?.persist?.().catch(() => false);
}
