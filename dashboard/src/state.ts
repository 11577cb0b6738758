/** @file What all pages share: the runs, where we are, how it looks. */
import { computed, signal } from '@preact/signals';
import { follow, getRuns, type LiveEvent, type RunBrief } from './api.ts';

export const runs = signal<ReadonlyMap<string, RunBrief>>(new Map());
export const loaded = signal(false);
export const online = signal(true);
export const trouble = signal('');

/** The view is in the address, so that a link keeps it: #/PAGE/ID?what=is&chosen. */
export interface Route {
  page: string;
  id: string;
  query: URLSearchParams;
}

function parse(): Route {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [page = '', id = ''] = path.split('/');
  return { page: page || 'runs', id, query: new URLSearchParams(query) };
}

export const route = signal<Route>(parse());
window.addEventListener('hashchange', () => {
  route.value = parse();
});

export function link(page: string, id = '', query: Record<string, string | undefined> = {}): string {
  const kept = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value) kept.set(key, value);
  const text = kept.toString();
  return `#/${page}${id && `/${id}`}${text && `?${text}`}`;
}

/** Change the view's choices, without a step in the browser's history. */
export function choose(changes: Record<string, string | undefined>): void {
  const { page, id, query } = route.value;
  const next = new URLSearchParams(query);
  for (const [key, value] of Object.entries(changes)) {
    if (value) next.set(key, value);
    else next.delete(key);
  }
  history.replaceState(null, '', link(page, id, Object.fromEntries(next)));
  route.value = parse();
}

/** Runs marked for comparing, and the one that others are measured against: kept while pages change. */
const stored = (key: string): string => sessionStorage.getItem(key) ?? '';
export const marked = signal<ReadonlySet<string>>(new Set(stored('marked').split(',').filter(Boolean)));
export const baseline = signal(stored('baseline'));

export function mark(id: string, on: boolean): void {
  const next = new Set(marked.value);
  if (on) next.add(id);
  else next.delete(id);
  marked.value = next;
  sessionStorage.setItem('marked', [...next].join());
}
export function setBaseline(id: string): void {
  baseline.value = id;
  sessionStorage.setItem('baseline', id);
}

export type Theme = 'auto' | 'light' | 'dark';
const media = matchMedia('(prefers-color-scheme: dark)');
const system = signal(media.matches);
media.addEventListener('change', () => {
  system.value = media.matches;
});
const saved = localStorage.getItem('thrive-theme');
export const theme = signal<Theme>(saved === 'light' || saved === 'dark' ? saved : 'auto');
export const isDark = computed(() => (theme.value === 'auto' ? system.value : theme.value === 'dark'));
export function setTheme(value: Theme): void {
  theme.value = value;
  localStorage.setItem('thrive-theme', value);
}

/** Whoever wants to know of a run's metrics. */
export const metricsEvent = signal<Extract<LiveEvent, { type: 'metrics' }> | null>(null);

export async function loadRuns(): Promise<void> {
  try {
    const { runs: all } = await getRuns();
    runs.value = new Map(all.map((run) => [run.id, run]));
    loaded.value = true;
    trouble.value = '';
  } catch (error) {
    trouble.value = error instanceof Error ? error.message : String(error);
  }
}

let end: (() => void) | undefined;
let following: string | null | undefined;

/** Follow what changes, and the metrics of the run that is open. */
export function followRun(id: string | null): void {
  if (following === id) return;
  following = id;
  end?.();
  let missed = false;
  end = follow(
    id,
    (event) => {
      if (event.type === 'metrics') {
        metricsEvent.value = event;
        return;
      }
      const next = new Map(runs.value);
      for (const run of event.changed) next.set(run.id, run);
      for (const gone of event.gone) next.delete(gone);
      runs.value = next;
    },
    (open) => {
      online.value = open;
      // What changed while we were away.
      if (open && missed) void loadRuns();
      missed = !open;
    },
  );
}
