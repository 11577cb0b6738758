/** @file What the server is asked, and what it tells by itself. */
import type { RunBrief } from '../../src/serve/brief.ts';
import type { LiveEvent } from '../../src/serve/live.ts';

export type { RunBrief, RunState } from '../../src/serve/brief.ts';
export type { LiveEvent } from '../../src/serve/live.ts';
export type { RunDetail } from '../../src/serve/run-detail.ts';

const KEY = 'thrive-token';

/** The printed address has the token behind its #, which is never sent; kept for this tab. */
export function takeToken(): void {
  const found = /^#token=([\w-]+)$/.exec(location.hash);
  if (!found) return;
  sessionStorage.setItem(KEY, found[1]!);
  history.replaceState(null, '', '#/runs');
}

export const hasToken = (): boolean => sessionStorage.getItem(KEY) !== null;
const headers = (): Record<string, string> => {
  const token = sessionStorage.getItem(KEY);
  return token === null ? {} : { 'X-Thrive-Token': token };
};

async function failure(response: Response): Promise<Error> {
  let text = `the server answered ${response.status}`;
  try {
    const { error, hint } = (await response.json()) as { error?: string; hint?: string };
    if (error) text = hint ? `${error} (${hint})` : error;
  } catch {
    // No JSON: the status is all there is.
  }
  return new Error(text);
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await fetch(path, { headers: headers(), ...(signal ? { signal } : {}) });
  if (!response.ok) throw await failure(response);
  return (await response.json()) as T;
}

/** Start a job; each line that it writes is given to `onLine`. Aborting the signal ends it. */
export async function job(body: object, onLine: (line: never) => void, signal: AbortSignal): Promise<void> {
  const response = await fetch('/api/jobs', {
    method: 'POST',
    headers: { ...headers(), 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  });
  if (!response.ok) throw await failure(response);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    const lines = (rest + (value ?? '')).split('\n');
    rest = done ? '' : lines.pop()!;
    for (const line of lines.filter((text) => text !== '')) {
      const told = JSON.parse(line) as { type: string; error?: string; hint?: string };
      if (told.type === 'error') throw new Error(told.hint ? `${told.error} (${told.hint})` : told.error);
      onLine(told as never);
    }
    if (done) return;
  }
}

/** Follow what changes; one run's metrics too. Returns what ends it. */
export function follow(
  run: string | null,
  on: (event: LiveEvent) => void,
  onState: (open: boolean) => void,
): () => void {
  const source = new EventSource(run === null ? '/api/events' : `/api/events?run=${run}`);
  const take = (event: Event): void => on(JSON.parse((event as MessageEvent<string>).data) as LiveEvent);
  source.addEventListener('runs', take);
  source.addEventListener('metrics', take);
  source.addEventListener('open', () => onState(true));
  source.addEventListener('error', () => onState(false));
  return () => source.close();
}

export interface Curves {
  version: number;
  progress: number;
  step: number;
  lines: number;
  badLines: number;
  torn: boolean;
  problem: string | null;
  /** Epoch, step, seconds. */
  epochs: [number, number, number | null][];
  series: { name: string; points: (number | null)[]; exact: boolean; gaps: number }[];
}

export const getRuns = (): Promise<{ runs: RunBrief[] }> => get('/api/runs');
