// The link in a photographed QR code. Made small here, read by the wallet's server (zxing-cpp).

import { Stopped } from "./stopped.js";
import { call, json } from "./web.js";

const LONGEST = 1600;

export async function linkIn(file) {
  let picture;
  try {
    picture = await createImageBitmap(file);
  } catch {
    throw new Stopped("picture_unreadable");
  }
  const link = await linkInPicture(await blobOf(picture, picture.width, picture.height, LONGEST));
  if (!link) throw new Stopped("picture_unreadable");
  return link;
}

// The text of the QR code in a JPEG, "" when there is none.
export async function linkInPicture(body) {
  const headers = { "Content-Type": body.type, Accept: "application/json" };
  const response = await call(`${location.origin}/wallet/read-qr`, { method: "POST", body, headers });
  const { link } = await json(response);
  if (response.status >= 500) throw new Stopped("unreachable");
  return response.status === 200 && typeof link === "string" ? link : "";
}

export async function blobOf(picture, width, height, longest) {
  const scale = Math.min(1, longest / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
  if (!blob) throw new Stopped("picture_unreadable");
  return blob;
}
