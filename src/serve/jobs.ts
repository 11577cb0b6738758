/**
 * @file Work that a page asks for, each in a process of its own: the server stays prompt, and when the page goes the work goes too.
 * What a job prints comes back line by line, a JSON object each.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** At a time: each takes the processors from a training. */
const MOST_JOBS = 2;
const MOST_OUTPUT = 64 << 20;
const LONGEST = 60 * 60 * 1000;

/** The compiled worker; the same from src/ and from dist/. */
const worker = fileURLToPath(new URL('../../dist/serve/job-worker.js', import.meta.url));

export class Jobs {
  readonly #running = new Set<ChildProcess>();

  get running(): number {
    return this.#running.size;
  }

  /** Start a job; null where enough are at work. The stream ends with the job; cancelling it, or the signal, ends the job. */
  start(job: object, signal: AbortSignal): ReadableStream<Uint8Array> | null {
    if (this.#running.size >= MOST_JOBS) return null;
    // Nicer than a training: what is looked at can wait.
    const child = spawn(process.execPath, [worker], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#running.add(child);
    const stop = (): void => {
      child.kill('SIGKILL');
    };
    const timer = setTimeout(stop, LONGEST);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    child.stdin.on('error', () => {});
    child.stdin.end(JSON.stringify(job));
    let complaint = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-2000);
    });
    child.once('close', () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      this.#running.delete(child);
    });
    let sent = 0;
    let open = true;
    return new ReadableStream<Uint8Array>({
      start(controller) {
        const end = (): void => {
          if (open) controller.close();
          open = false;
        };
        child.stdout.on('data', (chunk: Buffer) => {
          sent += chunk.length;
          if (sent > MOST_OUTPUT) stop();
          else if (open) controller.enqueue(new Uint8Array(chunk));
        });
        child.once('error', end);
        child.once('close', (code) => {
          if (open && code !== 0 && !signal.aborted) {
            const lines = complaint.trim().split('\n');
            const error = lines.at(-1) || `the job ended with code ${code}`;
            controller.enqueue(new TextEncoder().encode(`${JSON.stringify({ type: 'error', error })}\n`));
          }
          end();
        });
      },
      cancel() {
        // The stream is closed then: what the job still says has nowhere to go.
        open = false;
        stop();
      },
    });
  }

  stopAll(): void {
    for (const child of this.#running) child.kill('SIGKILL');
  }
}
