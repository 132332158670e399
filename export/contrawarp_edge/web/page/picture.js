// Pictures that a person gives, decoded by the browser and never changed unless said.

export const MAX_SIDE = 1024;

/** Decodes an image file: upright, and with its own pixel values. */
export async function openPicture(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch {
    throw new Error(`${file.name || "This file"} is no picture that this browser can open.`);
  }
  return { file, bitmap, width: bitmap.width, height: bitmap.height };
}

/** Whether a picture can be searched with as it is, without fitting a crop first. */
export function isReady({ width, height }) {
  return Math.max(width, height) <= MAX_SIDE && Math.abs(Math.log(width / height)) < 0.2;
}

/**
 * Draws a part of a picture, at most MAX_SIDE pixels wide and high.
 *
 * box is {x, y, width, height} in pixels of the picture, or null for all of it. Answers
 * with {canvas, scaled}; scaled says so if it was scaled down, and is empty otherwise.
 */
export function drawPicture(picture, box) {
  const part = box ?? { x: 0, y: 0, width: picture.width, height: picture.height };
  const scale = Math.min(1, MAX_SIDE / Math.max(part.width, part.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(part.width * scale));
  canvas.height = Math.max(1, Math.round(part.height * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(
    picture.bitmap, part.x, part.y, part.width, part.height, 0, 0, canvas.width, canvas.height,
  );
  const size = (width, height) => `${Math.round(width)} × ${Math.round(height)}`;
  const scaled = scale < 1
    ? `Scaled down from ${size(part.width, part.height)} to ${size(canvas.width, canvas.height)} pixels.`
    : "";
  return { canvas, scaled };
}

/** The canvas as a file. */
export function toBlob(canvas, type, quality) {
  return new Promise((resolve) => canvas.toBlob(resolve, type, quality));
}
