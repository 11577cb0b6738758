// From an image of any size to what a network takes.

/**
 * The square in the middle of an image, drawn at `size` by `size` pixels.
 *
 * @param {ImageBitmap} image @param {HTMLCanvasElement} canvas @param {number} size
 */
export function drawSquare(image, canvas, size) {
  canvas.width = size;
  canvas.height = size;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d', { willReadFrequently: true }));
  const side = Math.min(image.width, image.height);
  // An image that has the right size already goes through untouched.
  context.imageSmoothingEnabled = side !== size;
  context.imageSmoothingQuality = 'high';
  const [left, top] = [(image.width - side) / 2, (image.height - side) / 2];
  context.fillStyle = 'white';
  context.fillRect(0, 0, size, size);
  context.drawImage(image, left, top, side, side, 0, 0, size, size);
}

/**
 * All of red, then green, then blue, as numbers from 0 to 255; or (value / 255 - mean) / std where the model does not do that.
 *
 * @param {HTMLCanvasElement} canvas @param {import('./metadata.js').Normalization | null} normalization
 */
export function planes(canvas, normalization) {
  const { width, height } = canvas;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  const { data } = context.getImageData(0, 0, width, height);
  const values = new Float32Array(3 * width * height);
  for (let i = 0; i < values.length; i++) {
    const channel = Math.floor(i / (width * height));
    const value = data[4 * (i % (width * height)) + channel];
    values[i] = normalization ? (value / 255 - normalization.mean[channel]) / normalization.std[channel] : value;
  }
  return values;
}
