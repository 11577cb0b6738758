// What an .onnx file says of itself. onnxruntime-web does not hand out a model's metadata, so it is read from the file: a
// protobuf message, of which field 14 holds keys and values. Everything else is stepped over.

/** @param {Uint8Array} bytes @returns {Generator<[field: number, value: Uint8Array]>} the fields that have a length */
function* fields(bytes) {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; at < bytes.length; scale *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw new Error('the file ends too early');
  };
  while (at < bytes.length) {
    const tag = varint();
    const wire = tag % 8;
    if (wire === 0) varint();
    else if (wire === 1) at += 8;
    else if (wire === 5) at += 4;
    else if (wire === 2) {
      const length = varint();
      if (at + length > bytes.length) throw new Error('the file ends too early');
      yield [Math.floor(tag / 8), bytes.subarray(at, at + length)];
      at += length;
    } else throw new Error('this is no ONNX model');
  }
}

/** @param {Uint8Array} model @returns {Map<string, string>} */
function entries(model) {
  const found = new Map();
  const text = (/** @type {Uint8Array | undefined} */ bytes) => new TextDecoder().decode(bytes);
  for (const [number, value] of fields(model)) {
    if (number !== 14) continue;
    const entry = new Map(fields(value));
    found.set(text(entry.get(1)), text(entry.get(2)));
  }
  return found;
}

/** @typedef {{ mean: number[], std: number[] }} Normalization */
/** @typedef {{ name: string, data: string, classNames: string[], size: number, normalization: Normalization | null, top1: number | null }} Facts */

/**
 * What is needed to run a model that `thrive export --format onnx` wrote. `normalization` is null where the model does that
 * itself.
 *
 * @param {Uint8Array} model @returns {Facts}
 */
export function readFacts(model) {
  const found = entries(model);
  const names = found.get('class_names');
  const size = Number(found.get('image_size'));
  if (!names || !(size > 0))
    throw new Error('this model does not say what its classes are; write it with thrive export');
  const top1 = found.get('top1');
  return {
    name: found.get('model') ?? 'a network',
    data: found.get('data') ?? 'unknown data',
    classNames: JSON.parse(names),
    size,
    normalization: found.get('input') === 'pixels' ? null : JSON.parse(found.get('normalization') ?? 'null'),
    top1: top1 === undefined ? null : Number(top1),
  };
}
