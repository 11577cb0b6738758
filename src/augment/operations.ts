/**
 * @file Operations on uint8 images, each sample with its own: what AutoAugment, RandAugment and TrivialAugment draw from.
 * Equal to torchvision 0.14's on uint8 tensors to the byte: nearest neighbour, black where nothing was, truncation after
 * blending. Native code (native/operations.cc); images on another device make the trip to the CPU and back.
 */

import { Tensor, tidy } from '../torch/index.ts';
import { native } from '../torch/native.ts';
import { normalizeImages } from './normalize.ts';
import type { BatchView } from './scheme.ts';

/** An operation's number is its place in this list. */
export const operations = [
  'Identity',
  'ShearX',
  'ShearY',
  'TranslateX',
  'TranslateY',
  'Rotate',
  'Brightness',
  'Color',
  'Contrast',
  'Sharpness',
  'Posterize',
  'Solarize',
  'AutoContrast',
  'Equalize',
  'Invert',
] as const;

export type Operation = (typeof operations)[number];

/** One operation with its magnitude: a slope, pixels, degrees, what is added to a blend's factor of 1, bits, a threshold. */
export interface OperationCall {
  operation: Operation;
  magnitude: number;
}

/** `slots` operations for each sample, applied in order, as numbers of `operations` and their magnitudes. */
export type Program = {
  readonly slots: number;
  readonly operations: Int32Array;
  readonly magnitudes: Float64Array;
};

const numbers = new Map<string, number>(operations.map((name, i) => [name, i]));

/** One list of calls a sample, none longer than `slots`, as a program; what is left of the slots is Identity. */
export function packProgram(slots: number, calls: readonly (readonly OperationCall[])[]): Program {
  const program = {
    slots,
    operations: new Int32Array(slots * calls.length),
    magnitudes: new Float64Array(slots * calls.length),
  };
  for (const [sample, list] of calls.entries()) {
    for (const [i, { operation, magnitude }] of list.entries()) {
      program.operations[sample * slots + i] = numbers.get(operation)!;
      program.magnitudes[sample * slots + i] = magnitude + 0; // no -0, which JSON would not keep
    }
  }
  return program;
}

/** Images uint8 [B, 1 or 3, H, W] after each sample's operations: a new tensor on the same device. */
export function applyOperations(images: Tensor, { slots, operations: which, magnitudes }: Program): Tensor {
  return tidy(() => {
    const here = images.to({ device: 'cpu' }).contiguous();
    const made = Tensor.wrap(native().applyOperations(here.handle, slots, which, magnitudes));
    return made.to({ device: images.device });
  });
}

/** The view's images after each sample's operations, normalised. */
export function applyProgram(view: BatchView, program: Program): Tensor {
  return tidy(() => normalizeImages(applyOperations(view.images, program), view.normalization, view.channelsLast));
}

/** The magnitudes an operation may have, from weak to strong; one number where it has none, signed where its opposite is as good. */
export interface Strengths {
  magnitudes: readonly number[];
  signed: boolean;
}

/** `count` numbers from `first` to `last`, made in float32 from both ends to the middle as torch.linspace makes them. */
export function linspace(first: number, last: number, count: number): number[] {
  const [from, to] = [Math.fround(first), Math.fround(last)];
  const step = Math.fround(Math.fround(to - from) / (count - 1));
  return Array.from({ length: count }, (_, i) =>
    i < Math.floor(count / 2)
      ? Math.fround(from + Math.fround(step * i))
      : Math.fround(to - Math.fround(step * (count - 1 - i))),
  );
}

/** The strongest of each kind: what AutoAugment's and RandAugment's tables share, and what TrivialAugment widens. */
export interface StrongestMagnitudes {
  shear: number;
  /** In pixels, along each axis. */
  translateX: number;
  translateY: number;
  degrees: number;
  /** What a blend's factor differs from 1 by. */
  blend: number;
  /** How many of the 8 bits posterize takes away. */
  bits: number;
}

/** Every operation's magnitudes in `bins` steps. */
export function strengthTable(bins: number, most: StrongestMagnitudes): Record<Operation, Strengths> {
  const signed = (last: number): Strengths => ({ magnitudes: linspace(0, last, bins), signed: true });
  const none: Strengths = { magnitudes: [0], signed: false };
  const bits = Array.from({ length: bins }, (_, i) => 8 - roundHalfEven(i / ((bins - 1) / most.bits)));
  return {
    Identity: none,
    ShearX: signed(most.shear),
    ShearY: signed(most.shear),
    TranslateX: signed(most.translateX),
    TranslateY: signed(most.translateY),
    Rotate: signed(most.degrees),
    Brightness: signed(most.blend),
    Color: signed(most.blend),
    Contrast: signed(most.blend),
    Sharpness: signed(most.blend),
    Posterize: { magnitudes: bits, signed: false },
    Solarize: { magnitudes: linspace(255, 0, bins), signed: false },
    AutoContrast: none,
    Equalize: none,
    Invert: none,
  };
}

const tables = new Map<string, Record<Operation, Strengths>>();

/** AutoAugment's own magnitudes: E. Cubuk and others, 2018, translations as on the 331-pixel images of its search. */
export function autoAugmentTable(bins: number, height: number, width: number): Record<Operation, Strengths> {
  const key = `${bins} ${height} ${width}`;
  let table = tables.get(key);
  if (!table) {
    const [translateX, translateY] = [(150 / 331) * width, (150 / 331) * height];
    table = strengthTable(bins, { shear: 0.3, translateX, translateY, degrees: 30, blend: 0.9, bits: 4 });
    tables.set(key, table);
  }
  return table;
}

/** To the nearest integer, halves to the even one: torch.round. */
function roundHalfEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
