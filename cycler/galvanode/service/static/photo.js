// Photos before they are sent: a look at them, and a smaller one where a camera makes them too large.

export const MOST_BYTES = 10 * 1024 * 1024;
const PREVIEW = 480;
const LARGEST = 4000;

/** Draw the image into the canvas, small. */
export function preview(canvas, image) {
  draw(canvas, image, PREVIEW);
}

/** The image as a JPEG of at most 4000 pixels a side, which stays far below what the station takes. */
export async function shrunk(image) {
  const canvas = document.createElement("canvas");
  draw(canvas, image, LARGEST);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
  if (blob === null) throw new Error("the photo could not be made smaller");
  return blob;
}

function draw(canvas, image, most) {
  const scale = Math.min(1, most / Math.max(image.width, image.height));
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
}
