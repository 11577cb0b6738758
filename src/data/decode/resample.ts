/**
 * @file Antialiased bilinear resizing in JavaScript: what native/decode/resample.h does, for machines on which that is not built,
 * and to hold it against. To the bit Pillow's `Image.resize(size, BILINEAR)` (libImaging/Resample.c).
 */

const precision = 22;

interface Taps {
  first: Int32Array;
  weights: Int32Array[];
}

function makeTaps(start: number, extent: number, resized: number, from: number, length: number): Taps {
  const scale = extent / resized;
  const support = Math.max(scale, 1);
  const low = Math.max(0, Math.floor(start));
  const high = Math.ceil(start + extent);
  const first = new Int32Array(length);
  const weights: Int32Array[] = [];
  for (let i = 0; i < length; i++) {
    const center = start + (from + i + 0.5) * scale;
    first[i] = Math.max(Math.trunc(center - support + 0.5), low);
    const last = Math.min(Math.trunc(center + support + 0.5), high);
    const line = Float64Array.from({ length: last - first[i]! }, (_, k) => {
      const distance = Math.abs((k + first[i]! - center + 0.5) / support);
      return distance < 1 ? 1 - distance : 0;
    });
    const sum = line.reduce((a, b) => a + b, 0);
    weights.push(Int32Array.from(line, (weight) => Math.trunc(0.5 + (weight / sum) * 2 ** precision)));
  }
  return { first, weights };
}

const toByte = (sum: number): number => Math.min(255, Math.max(0, sum >> precision));

/** See `resample` of `DecodeAddon`. */
export function resampleInJavaScript(
  rgb: Uint8Array,
  width: number,
  _height: number,
  out: Uint8Array,
  geometry: Float64Array,
): void {
  const [left, top, extentX, extentY, resizeX, resizeY, x, y, columns, rows, base, stepX, stepY, plane] = [
    ...geometry,
  ] as [number, number, number, number, number, number, number, number, number, number, number, number, number, number];
  const across = makeTaps(left, extentX, resizeX, x, columns);
  const down = makeTaps(top, extentY, resizeY, y, rows);
  const begin = Math.min(...down.first);
  const end = Math.max(...down.weights.map((weights, i) => down.first[i]! + weights.length));
  const middle = new Uint8Array((end - begin) * columns * 3);
  for (let row = begin; row < end; row++) {
    for (let i = 0; i < columns; i++) {
      const weights = across.weights[i]!;
      for (let c = 0; c < 3; c++) {
        let sum = 2 ** (precision - 1);
        for (let k = 0; k < weights.length; k++) {
          sum += rgb[(row * width + across.first[i]! + k) * 3 + c]! * weights[k]!;
        }
        middle[((row - begin) * columns + i) * 3 + c] = toByte(sum);
      }
    }
  }
  for (let j = 0; j < rows; j++) {
    const weights = down.weights[j]!;
    for (let i = 0; i < columns; i++) {
      for (let c = 0; c < 3; c++) {
        let sum = 2 ** (precision - 1);
        for (let k = 0; k < weights.length; k++) {
          sum += middle[((down.first[j]! - begin + k) * columns + i) * 3 + c]! * weights[k]!;
        }
        out[base + i * stepX + j * stepY + c * plane] = toByte(sum);
      }
    }
  }
}
