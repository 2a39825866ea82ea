// The camera. Where the browser reads QR codes itself, no frame leaves the phone; elsewhere a few frames
// a second go to the wallet's own server, which keeps none. It stops at the first code that is taken, when
// the page is left or hidden, and when the person says so.

import { blobOf, linkInPicture } from "./picture.js";
import { Stopped } from "./stopped.js";

const PAUSE_MS = 300;
const LONGEST = 900;
const PATIENCE = 5; // frames that may get no answer in a row
const WISH = { audio: false, video: { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 720 } } };

// `found` is given each text until it takes one (gives true). Gives a function that stops.
export async function scan(video, found, failed) {
  const stream = await openCamera();
  const stop = () => {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
    document.removeEventListener("visibilitychange", whenHidden);
    removeEventListener("pagehide", stop);
  };
  const whenHidden = () => document.hidden && failed(null);
  document.addEventListener("visibilitychange", whenHidden);
  addEventListener("pagehide", stop);
  video.srcObject = stream;
  await video.play().catch(() => {}); // where it plays by itself, this may be refused
  look(video, found).catch(failed);
  return stop;
}

async function look(video, found) {
  const read = await makeReader();
  let missed = 0;
  while (video.srcObject) {
    try {
      const link = video.videoWidth ? await read(video) : "";
      if (video.srcObject && link && found(link)) return;
      missed = 0;
    } catch (error) {
      missed += 1;
      if (missed === PATIENCE) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function makeReader() {
  const known = await globalThis.BarcodeDetector?.getSupportedFormats().catch(() => []);
  if (!known?.includes("qr_code")) return byServer;
  const detector = new BarcodeDetector({ formats: ["qr_code"] });
  return async (video) => {
    const found = await detector.detect(video);
    return found.length === 1 ? found[0].rawValue : ""; // of two, which one was meant?
  };
}

async function byServer(video) {
  return linkInPicture(await blobOf(video, video.videoWidth, video.videoHeight, LONGEST));
}

async function openCamera() {
  if (!navigator.mediaDevices?.getUserMedia) throw new Stopped("camera_missing");
  try {
    return await navigator.mediaDevices.getUserMedia(WISH);
  } catch (error) {
    throw new Stopped(error.name === "NotAllowedError" ? "camera_denied" : "camera_missing");
  }
}
