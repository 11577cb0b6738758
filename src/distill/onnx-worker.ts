/**
 * @file The thread an ONNX model runs in: onnxruntime-node answers with promises, a training step is synchronous. The step waits
 * for a flag in shared memory, which this thread sets when the logits are there.
 */
import type { MessagePort } from 'node:worker_threads';

/** Values of the flag. */
export const flags = { waiting: 0, done: 1 } as const;

export interface WorkerSettings {
  /** Path of onnxruntime-node's main file. */
  runtime: string;
  model: string;
  threads: number;
  input: string;
  output: string;
  port: MessagePort;
}

/** Images to run on. Their memory moves to this thread; onnxruntime takes none that is shared. */
export interface RunRequest {
  flag: SharedArrayBuffer;
  values: Float32Array;
  shape: number[];
}

export type RunAnswer = { logits: Float32Array; shape: number[] } | { error: string };

/**
 * What the thread does. It is started from this function's text, so that it needs no file of its own (Node.js 20 runs no
 * TypeScript) and may use nothing from outside.
 */
export function workerMain(): void {
  const { workerData, parentPort } = require('node:worker_threads') as typeof import('node:worker_threads');
  const { runtime, model, threads, input, output, port } = workerData as WorkerSettings;
  const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));
  const ready = (error: string | null): void => parentPort?.postMessage(error);
  try {
    const ort = require(runtime) as typeof import('onnxruntime-node');
    // One session and no spinning threads: the processors are libtorch's while the student is trained.
    const options = {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: 'sequential' as const,
      // What fails is thrown, and said in our words; the runtime's log would say it again.
      logSeverityLevel: 4 as const,
      extra: { session: { intra_op: { allow_spinning: '0' } } },
    };
    const quiet = { logSeverityLevel: 4 as const };
    ort.InferenceSession.create(model, options).then(
      (session) => {
        port.on('message', async ({ flag, values, shape }: RunRequest) => {
          let answer: RunAnswer;
          try {
            const results = await session.run({ [input]: new ort.Tensor('float32', values, shape) }, quiet);
            const found = results[output];
            if (found?.type !== 'float32') throw new Error(`its output '${output}' is ${found?.type ?? 'absent'}`);
            answer = { logits: found.data as Float32Array, shape: [...found.dims] };
          } catch (error) {
            answer = { error: message(error) };
          }
          port.postMessage(answer);
          const shared = new Int32Array(flag);
          Atomics.store(shared, 0, 1);
          Atomics.notify(shared, 0);
        });
        ready(null);
      },
      (error: unknown) => ready(message(error)),
    );
  } catch (error) {
    ready(message(error));
  }
}
