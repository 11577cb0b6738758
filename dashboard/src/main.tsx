/** @file The page: header, what is open, and where it is mounted. */
import { effect } from '@preact/signals';
import { render } from 'preact';
import { useEffect } from 'preact/hooks';
import 'uplot/dist/uPlot.min.css';
import './style.css';
import { takeToken } from './api.ts';
import { AugmentPage } from './augment-page.tsx';
import { ComparePage } from './compare-page.tsx';
import { RunPage } from './run-page.tsx';
import { RunsPage } from './runs-page.tsx';
import {
  followRun,
  isDark,
  link,
  loaded,
  loadRuns,
  marked,
  online,
  route,
  setTheme,
  type Theme,
  theme,
  trouble,
} from './state.ts';

const pages: [string, string][] = [
  ['runs', 'Runs'],
  ['compare', 'Compare'],
  ['augment', 'Augmentations'],
];

function Header() {
  const { page } = route.value;
  return (
    <header class="top">
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        Skip to content
      </button>
      <a class="brand" href={link('runs')}>
        <img src="/icon.svg" alt="" width="24" height="24" /> Thrive
      </a>
      <nav aria-label="Pages">
        {pages.map(([name, title]) => (
          <a
            key={name}
            href={link(name)}
            aria-current={page === name || (page === 'run' && name === 'runs') ? 'page' : undefined}
          >
            {title}
            {name === 'compare' && marked.value.size > 0 && (
              <span class="count">
                {marked.value.size}
                <span class="hidden"> runs marked</span>
              </span>
            )}
          </a>
        ))}
      </nav>
      <span class={`live ${online.value ? '' : 'off'}`} role="status">
        {online.value ? 'live' : 'offline'}
      </span>
      <label class="theme">
        <span class="hidden">Colours</span>
        <select value={theme.value} onChange={(event) => setTheme(event.currentTarget.value as Theme)}>
          <option value="auto">Auto</option>
          <option value="light">Light</option>
          <option value="dark">Dark</option>
        </select>
      </label>
    </header>
  );
}

function Page() {
  const { page, id } = route.value;
  if (!loaded.value) return trouble.value ? null : <p class="quiet">Reading the folders…</p>;
  if (page === 'run') return <RunPage key={id} id={id} />;
  if (page === 'compare') return <ComparePage />;
  if (page === 'augment') return <AugmentPage />;
  return <RunsPage />;
}

function App() {
  const { page, id } = route.value;
  useEffect(() => followRun(page === 'run' ? id : null), [page, id]);
  return (
    <>
      <Header />
      <main id="main" tabIndex={-1}>
        {trouble.value && (
          <p class="problem" role="alert">
            {trouble.value}
          </p>
        )}
        <Page />
      </main>
    </>
  );
}

takeToken();
effect(() => {
  document.documentElement.dataset.theme = isDark.value ? 'dark' : 'light';
});
render(<App />, document.getElementById('app')!);
void loadRuns();
