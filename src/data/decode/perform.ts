/** @file What a decoding thread does with a task: it writes pixels into shared memory. It never loads libtorch. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { errorMessage } from '../../base/errors.ts';
import { fileError } from '../../base/files.ts';
import { stream } from '../../torch/random.ts';
import { type Crop, evalCrop, trainCrop } from './geometry.ts';
import { DamagedImage, openImage } from './image.ts';
import type { Answer, DecodeTask, ImageRef, Looked, Task } from './task.ts';

/** The file of the shards read last, open: its images follow each other. */
let open: { path: string; fd: number } | undefined;

function readRange({ path, offset = 0, length = 0 }: ImageRef): Uint8Array {
  if (open?.path !== path) {
    if (open) closeSync(open.fd);
    open = undefined;
    open = { path, fd: openSync(path, 'r') };
  }
  const bytes = new Uint8Array(length);
  for (let filled = 0; filled < length; ) {
    const read = readSync(open.fd, bytes, filled, length - filled, offset + filled);
    if (read === 0) throw new DamagedImage(`${path} ends within it`);
    filled += read;
  }
  return bytes;
}

function readImage(image: ImageRef): Uint8Array {
  if (image.memory) return new Uint8Array(image.memory, image.offset, image.length).slice();
  try {
    return image.length === undefined ? readFileSync(image.path) : readRange(image);
  } catch (error) {
    if (error instanceof DamagedImage) throw error;
    // The path is said by whoever reports it.
    throw new DamagedImage(fileError('read', image.path, error).message.replace(`cannot read ${image.path}: `, ''));
  }
}

async function decode(task: DecodeTask): Promise<Answer> {
  const { view, options, out } = task;
  const { size } = view;
  const pixels = new Uint8Array(out);
  const ofEpoch = stream(task.seed, 'random-resized-crop', task.epoch);
  const cropOf = (width: number, height: number, sample: number): Crop =>
    view.kind === 'train'
      ? trainCrop(ofEpoch.child(sample), width, height, size, view)
      : evalCrop(width, height, size, view.resize);
  const bad: Answer['bad'] = [];
  for (const [at, ref] of task.images.entries()) {
    const begin = (task.first + at) * 3 * size * size;
    try {
      const image = await openImage(readImage(ref), options);
      const crop = cropOf(image.width, image.height, task.samples[at]!);
      // Memory is used again: where the crop does not reach, an earlier image would show.
      if (crop.columns < size || crop.rows < size) pixels.fill(0, begin, begin + 3 * size * size);
      await image.draw(crop, pixels, [size, size], begin);
    } catch (error) {
      bad.push({ at, reason: errorMessage(error) });
    }
  }
  return { id: task.id, bad };
}

/** Decode every pixel of an image, as no crop does. */
async function look(ref: ImageRef, options: DecodeTask['options']): Promise<Looked> {
  const bytes = readImage(ref);
  const hash = createHash('sha256').update(bytes).digest('base64');
  const image = await openImage(bytes, { ...options, gap: 0 });
  const { width, height, format } = image;
  const side = 8;
  const whole = { left: 0, top: 0, width, height, resizeWidth: side, resizeHeight: side };
  const window = { x: 0, y: 0, columns: side, rows: side, placeX: 0, placeY: 0, flip: false };
  const warnings = await image.draw({ ...whole, ...window }, new Uint8Array(3 * side * side), [side, side]);
  return { width, height, format, bytes: bytes.length, hash, warnings };
}

/** Do a task. What is wrong with an image is part of the answer. */
export async function perform(task: Task): Promise<Answer> {
  if (task.kind === 'decode') return decode(task);
  const bad: Answer['bad'] = [];
  const looked: (Looked | null)[] = [];
  for (const [at, ref] of task.images.entries()) {
    try {
      looked.push(await look(ref, task.options));
    } catch (error) {
      bad.push({ at, reason: errorMessage(error) });
      looked.push(null);
    }
  }
  return { id: task.id, bad, looked };
}
