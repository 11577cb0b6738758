/** @file A headless Chromium, driven through its DevTools protocol over two pipes: no package, no port. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

/** The browser's program; undefined where there is none. */
export const chromium: string | undefined = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
].find((name) => spawnSync('which', [name]).status === 0);

interface Answer {
  id?: number;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { message: string };
}

export class Page {
  readonly #send: (method: string, params: object) => Promise<Record<string, unknown>>;
  /** What the page wrote to its console, and errors nobody caught. */
  readonly log: string[];

  constructor(send: (method: string, params: object) => Promise<Record<string, unknown>>, log: string[]) {
    this.#send = send;
    this.log = log;
  }

  async open(url: string): Promise<void> {
    await this.#send('Page.navigate', { url });
  }

  /** The value of an expression in the page; promises are waited for. */
  async evaluate<T>(expression: string): Promise<T> {
    const answer = (await this.#send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })) as {
      result: { value: T };
      exceptionDetails?: { text: string; exception?: { description?: string } };
    };
    const failed = answer.exceptionDetails;
    if (failed) throw new Error(failed.exception?.description ?? failed.text);
    return answer.result.value;
  }

  /** Wait until an expression is true. */
  async until(expression: string, milliseconds = 40_000): Promise<void> {
    const end = Date.now() + milliseconds;
    while (!(await this.evaluate<boolean>(`Boolean(${expression})`))) {
      if (Date.now() > end) throw new Error(`still not ${expression}; console: ${this.log.join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async screenshot(): Promise<Buffer> {
    const { data } = (await this.#send('Page.captureScreenshot', { format: 'png' })) as { data: string };
    return Buffer.from(data, 'base64');
  }

  dark(): Promise<void> {
    return this.scheme('dark');
  }

  async scheme(value: 'light' | 'dark'): Promise<void> {
    await this.#send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value }] });
  }

  /** The window's size in pixels; a phone's where it is narrow. */
  async resize(width: number, height: number): Promise<void> {
    const mobile = width < 600;
    await this.#send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile });
  }
}

/** Run `fn` with a page of a fresh browser, which is ended afterwards. */
export async function withPage<T>(fn: (page: Page) => Promise<T>, size: [number, number] = [900, 760]): Promise<T> {
  const profile = mkdtempSync(join(tmpdir(), 'thrive-chromium-'));
  const flags = [
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--remote-debugging-pipe',
  ];
  const child = spawn(
    chromium!,
    [...flags, '--no-first-run', '--hide-scrollbars', `--window-size=${size.join()}`, `--user-data-dir=${profile}`],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
  );
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const [to, from] = [child.stdio[3] as Writable, child.stdio[4] as Readable];
  // Messages end with a zero byte.
  const waiting = new Map<number, { resolve(value: Record<string, unknown>): void; reject(error: Error): void }>();
  const log: string[] = [];
  let rest = '';
  to.on('error', () => {});
  from.setEncoding('utf8');
  from.on('data', (text: string) => {
    const parts = (rest + text).split('\0');
    rest = parts.pop()!;
    for (const part of parts) {
      const { id, method, params, result, error } = JSON.parse(part) as Answer;
      if (method === 'Runtime.consoleAPICalled' || method === 'Runtime.exceptionThrown')
        log.push(JSON.stringify(params));
      if (id === undefined) continue;
      if (error) waiting.get(id)?.reject(new Error(error.message));
      else waiting.get(id)?.resolve(result ?? {});
      waiting.delete(id);
    }
  });
  void ended.then(() => {
    for (const { reject } of waiting.values()) reject(new Error(`${chromium} ended`));
  });
  let count = 0;
  const send = (method: string, params: object, sessionId?: string): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      const id = ++count;
      waiting.set(id, { resolve, reject });
      to.write(`${JSON.stringify({ id, method, params, ...(sessionId ? { sessionId } : {}) })}\0`);
    });
  try {
    const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = (await send('Target.attachToTarget', { targetId, flatten: true })) as { sessionId: string };
    const inPage = (method: string, params: object) => send(method, params, sessionId);
    await inPage('Runtime.enable', {});
    await inPage('Page.enable', {});
    return await fn(new Page(inPage, log));
  } finally {
    void send('Browser.close', {}).catch(() => {});
    const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(timer);
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
