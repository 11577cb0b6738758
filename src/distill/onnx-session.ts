/** @file A model of onnxruntime-node that answers at once, as training needs it. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { UserError } from '../base/errors.ts';
import { flags, type RunAnswer, type RunRequest, type WorkerSettings, workerMain } from './onnx-worker.ts';

/** Milliseconds after which the model's thread is taken for dead: it may have run out of memory. */
const patience = 600_000;

export interface SessionOptions {
  /** Names of the input and the output to use. */
  input: string;
  output: string;
  threads: number;
}

/** Where onnxruntime-node is installed: beside this package, or in the project that uses it. */
function findRuntime(): string {
  for (const from of [import.meta.url, join(process.cwd(), 'package.json')]) {
    try {
      return createRequire(from).resolve('onnxruntime-node');
    } catch {}
  }
  throw new UserError('a teacher in an .onnx file needs onnxruntime-node, which is not installed', {
    hint: 'npm install --ignore-scripts onnxruntime-node   (its install script would only fetch CUDA libraries)',
  });
}

/** The runtime's own words, without its source files and line numbers. */
const brief = (error: string): string =>
  error
    .split('\n')[0]!
    .replace(/^\W*ONNXRuntimeError\W*:?\s*/i, '')
    .replace(/\S*\/\S+\.(cc|h):\d+ (\S+ )?/g, '')
    .slice(0, 200);

/** Images move to the model's thread, a copy of the logits comes back; meanwhile this thread sleeps. */
export class OnnxSession {
  readonly #path: string;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #flag = new Int32Array(new SharedArrayBuffer(4));
  #closed = false;

  private constructor(path: string, worker: Worker, port: MessagePort) {
    this.#path = path;
    this.#worker = worker;
    this.#port = port;
  }

  /** @throws UserError if the runtime is not installed, or cannot load the model */
  static async open(path: string, { input, output, threads }: SessionOptions): Promise<OnnxSession> {
    const runtime = findRuntime();
    const { port1, port2 } = new MessageChannel();
    const workerData: WorkerSettings = { runtime, model: path, threads, input, output, port: port2 };
    const worker = new Worker(`(${workerMain.toString()})()`, { eval: true, workerData, transferList: [port2] });
    // Neither keeps the process alive: who forgets to close a teacher still gets to the end.
    worker.unref();
    port1.unref();
    const error = await new Promise<string | null>((resolve) => {
      worker.ref();
      worker.once('message', resolve);
      worker.once('error', ({ message }) => resolve(message));
    });
    worker.unref();
    if (error !== null) {
      await worker.terminate();
      throw new UserError(`onnxruntime cannot load ${path}: ${brief(error)}`);
    }
    return new OnnxSession(path, worker, port1);
  }

  /** Logits, row by row, of float32 values [batch, channels, height, width], whose memory is taken. */
  run(values: Float32Array, shape: number[]): { logits: Float32Array; shape: number[] } {
    if (this.#closed) throw new TypeError('this teacher was disposed');
    Atomics.store(this.#flag, 0, flags.waiting);
    const request: RunRequest = { flag: this.#flag.buffer as SharedArrayBuffer, values, shape };
    this.#port.postMessage(request, [values.buffer as ArrayBuffer]);
    if (Atomics.wait(this.#flag, 0, flags.waiting, patience) === 'timed-out') {
      throw new UserError(`onnxruntime has not run ${this.#path} on a batch [${shape.join(', ')}] in ten minutes`);
    }
    const answer = receiveMessageOnPort(this.#port)?.message as RunAnswer;
    if ('error' in answer) {
      throw new UserError(
        `onnxruntime fails to run ${this.#path} on a batch [${shape.join(', ')}]: ${brief(answer.error)}`,
      );
    }
    return answer;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#port.close();
    void this.#worker.terminate();
  }
}
