// Photos before they are sent: a look at them, and a smaller one where a camera makes them too large.

import { pen } from "./dom.js";

export const MOST_BYTES = 10 * 1024 * 1024;
const PREVIEW = 480;
const LARGEST = 4000;

/**
 * Draw the image into the canvas, small.
 * @param {HTMLCanvasElement} canvas
 * @param {ImageBitmap} image
 */
export function preview(canvas, image) {
  draw(canvas, image, PREVIEW);
}

/**
 * The image as a JPEG of at most 4000 pixels a side, which stays far below what the station takes.
 * @param {ImageBitmap} image
 */
export async function shrunk(image) {
  const canvas = document.createElement("canvas");
  draw(canvas, image, LARGEST);
  /** @type {Blob | null} */
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
  if (blob === null) throw new Error("the photo could not be made smaller");
  return blob;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {ImageBitmap} image
 * @param {number} most pixels a side
 */
function draw(canvas, image, most) {
  const scale = Math.min(1, most / Math.max(image.width, image.height));
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  pen(canvas).drawImage(image, 0, 0, canvas.width, canvas.height);
}
