/** @file ONNX files run by onnxruntime-node, for tests. */
import { createRequire } from 'node:module';
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';

type Ort = typeof import('onnxruntime-node');

const ort = createRequire(import.meta.url)('onnxruntime-node') as Ort;

export interface OrtModel {
  inputs: readonly string[];
  /** Logits, row by row, of float32 values [batch, …]. */
  run(values: Float32Array, shape: readonly number[]): Promise<{ values: Float32Array; shape: readonly number[] }>;
  release(): Promise<void>;
}

/** A model with one input and one output, on one thread. */
export async function ortModel(bytes: Uint8Array): Promise<OrtModel> {
  const session: InferenceSession = await ort.InferenceSession.create(bytes, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const [input = ''] = session.inputNames;
  const [output = ''] = session.outputNames;
  return {
    inputs: session.inputNames,
    async run(values, shape) {
      const results = await session.run({ [input]: new ort.Tensor('float32', values, shape) as OrtTensor });
      const found = results[output]!;
      return { values: found.data as Float32Array, shape: found.dims };
    },
    release: () => session.release(),
  };
}

/** The largest difference as a share of the largest value expected: what rounding does to a sum of many terms. */
export function relativeDifference(got: Float32Array, expected: Float32Array): number {
  if (got.length !== expected.length) throw new Error(`${got.length} values, expected ${expected.length}`);
  let most = 0;
  let largest = 0;
  for (const [i, value] of expected.entries()) {
    const difference = Math.abs(got[i]! - value);
    // A NaN is a difference too, and would get lost in a comparison.
    if (!(difference <= most)) most = difference;
    largest = Math.max(largest, Math.abs(value));
  }
  return most / largest;
}
