/** @file Threads that decode images. Who gets which task changes nothing: a task's result depends on the task alone. */
import { Worker } from 'node:worker_threads';
import { UserError } from '../../base/errors.ts';
import { perform } from './perform.ts';
import type { Answer, CheckTask, DecodeTask, Task } from './task.ts';

export type TaskInput = Omit<DecodeTask, 'id'> | Omit<CheckTask, 'id'>;

interface Pending {
  task: Task;
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/** Node.js 20 runs no TypeScript: from a source tree a thread loads its file through jiti. */
function startWorker(): Worker {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  const file = new URL(`worker${extension}`, import.meta.url);
  if (extension === '.js') return new Worker(file);
  const loader = import.meta.resolve?.('jiti') ?? 'jiti';
  const code = `import(${JSON.stringify(loader)}).then(({ createJiti }) => createJiti(${JSON.stringify(file.href)}).import(${JSON.stringify(file.href)}));`;
  return new Worker(code, { eval: true });
}

export class DecodePool {
  readonly size: number;
  readonly #idle: Worker[] = [];
  readonly #workers: Worker[] = [];
  readonly #queue: Pending[] = [];
  readonly #running = new Map<Worker, Pending>();
  #nextId = 0;
  #failed: Error | null = null;

  /** @param size number of threads; 0: tasks are done in this one, as they are asked for */
  constructor(size: number) {
    this.size = size;
    for (let i = 0; i < size; i++) {
      const worker = startWorker();
      // Nobody waits: the process may end.
      worker.unref();
      worker.on('message', (answer: Answer) => this.#answered(worker, answer));
      worker.on('error', (error) => this.#fail(error.message));
      worker.on('exit', () => this.#fail('it ended'));
      this.#workers.push(worker);
      this.#idle.push(worker);
    }
  }

  /** @throws UserError when a thread has died, out of memory for instance */
  run(input: TaskInput): Promise<Answer> {
    if (this.#failed) return Promise.reject(this.#failed);
    if (this.size === 0) return perform({ ...input, id: this.#nextId++ });
    return new Promise((resolve, reject) => {
      this.#queue.push({ task: { ...input, id: this.#nextId++ }, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    while (this.#queue.length > 0 && this.#idle.length > 0) {
      const worker = this.#idle.shift()!;
      const pending = this.#queue.shift()!;
      this.#running.set(worker, pending);
      worker.ref();
      worker.postMessage(pending.task);
    }
  }

  #answered(worker: Worker, answer: Answer): void {
    const pending = this.#running.get(worker);
    this.#running.delete(worker);
    worker.unref();
    this.#idle.push(worker);
    pending?.resolve(answer);
    this.#next();
  }

  #fail(reason: string): void {
    if (this.#failed) return;
    this.#failed = new UserError(`a thread that decodes images has failed: ${reason}`, {
      hint: 'try fewer threads; thrive data check finds images that cannot be decoded',
    });
    for (const { reject } of [...this.#running.values(), ...this.#queue]) reject(this.#failed);
    this.#running.clear();
    this.#queue.length = 0;
  }

  async close(): Promise<void> {
    this.#failed ??= new UserError('the decoding threads have been stopped');
    for (const { reject } of this.#queue.splice(0)) reject(this.#failed);
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
