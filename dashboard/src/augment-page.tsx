/** @file Augmentations seen: what a scheme makes of real images, what a teacher says of them, what is picked; T. stddev as it settles. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, hasToken, job } from './api.ts';
import { compact, NONE } from './format.ts';
import { choose, route, runs } from './state.ts';

interface Options {
  datasets: string[];
  schemes: string[];
  criteria: string[];
}
interface Cell {
  png: string;
  caption: string;
  framed: boolean;
  opinion: { label: string; share: number }[];
}
interface Sheet {
  type: 'sheet';
  images: { index: number; label: string }[];
  leftOut: { scheme: string; reason: string }[];
  bands: { title: string; note: string; rows: Cell[][] }[];
}
interface Scores {
  type: 'scores';
  done: number;
  total: number;
  finished?: boolean;
  schemes: {
    name: string;
    title: string;
    tStddev: number | null;
    standardError: number | null;
    vectors: number;
    paper: number | null;
  }[];
}

/** One job at a time; it ends when the page goes. */
function useJob<T>(): { found: T | null; problem: string; busy: boolean; start(body: object): void; stop(): void } {
  const [found, setFound] = useState<T | null>(null);
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const controller = useRef<AbortController | null>(null);
  const stop = (): void => controller.current?.abort();
  useEffect(() => stop, []);
  const start = (body: object): void => {
    stop();
    const mine = new AbortController();
    controller.current = mine;
    setBusy(true);
    setProblem('');
    job(body, (line) => setFound(line as T), mine.signal)
      .catch((error: Error) => {
        if (!mine.signal.aborted) setProblem(error.message);
      })
      .finally(() => {
        if (controller.current === mine) setBusy(false);
      });
  };
  return { found, problem, busy, start, stop };
}

function Images({ sheet }: { sheet: Sheet }) {
  const before = sheet.bands[1]?.rows[0] ?? [];
  return (
    <div class="bands">
      {sheet.bands.map(({ title, note, rows }) => (
        <section key={title} class="band">
          <h2>
            {title} <span class="quiet small">{note}</span>
          </h2>
          {rows.map((row, r) => (
            <ul key={r} class="images">
              {row.map(({ png, caption, framed, opinion }, c) => {
                const label = sheet.images[c]?.label ?? '';
                const changed = opinion.length > 0 && before[c]?.opinion[0]?.label !== opinion[0]!.label;
                return (
                  <li key={c} class={framed ? 'framed' : ''}>
                    <img
                      src={`data:image/png;base64,${png}`}
                      width="96"
                      height="96"
                      alt={`${label}, ${title}${framed ? ', picked' : ''}`}
                    />
                    <span class="caption">
                      {framed && '✓ '}
                      {caption || ' '}
                    </span>
                    {opinion.length > 0 && (
                      <ol
                        class={`opinion ${changed ? 'changed' : ''}`}
                        aria-label={changed ? 'the teacher, who says otherwise than of x' : 'the teacher says'}
                      >
                        {opinion.map((one) => (
                          <li key={one.label}>
                            <span>{one.label}</span> <b>{Math.round(100 * one.share)} %</b>
                          </li>
                        ))}
                      </ol>
                    )}
                  </li>
                );
              })}
            </ul>
          ))}
        </section>
      ))}
    </div>
  );
}

function StddevTable({ scores }: { scores: Scores }) {
  const most = Math.max(
    ...scores.schemes.map(({ tStddev, standardError }) => (tStddev ?? 0) + 2 * (standardError ?? 0)),
    1e-12,
  );
  const part = (value: number): number => (300 * value) / most;
  return (
    <div class="scroll" role="region" aria-label="Table of T. stddev" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">Augmentation</th>
            <th scope="col" class="number">
              T. stddev
            </th>
            <th scope="col" class="number">
              ± standard error
            </th>
            <th scope="col">95 %</th>
            <th scope="col" class="number">
              Vectors
            </th>
            <th scope="col" class="number">
              Paper
            </th>
          </tr>
        </thead>
        <tbody>
          {[...scores.schemes]
            .sort((a, b) => (a.tStddev ?? 0) - (b.tStddev ?? 0))
            .map(({ name, title, tStddev, standardError, vectors, paper }) => (
              <tr key={name}>
                <th scope="row">{title}</th>
                <td class="number">{tStddev === null ? NONE : tStddev.toFixed(6)}</td>
                <td class="number">{standardError === null ? NONE : standardError.toFixed(6)}</td>
                <td>
                  <svg class="interval" viewBox="0 0 300 16" width="300" height="16" aria-hidden="true">
                    {tStddev !== null && <circle class="dot" cx={part(tStddev)} cy="8" r="4" />}
                    {tStddev !== null && standardError !== null && (
                      <path
                        class="whisker"
                        d={`M${part(Math.max(0, tStddev - 2 * standardError))} 8H${part(tStddev + 2 * standardError)}`}
                      />
                    )}
                  </svg>
                </td>
                <td class="number">{vectors}</td>
                <td class="number">{compact(paper)}</td>
              </tr>
            ))}
        </tbody>
      </table>
    </div>
  );
}

export function AugmentPage() {
  const { query } = route.value;
  const [options, setOptions] = useState<Options | null>(null);
  const [problem, setProblem] = useState('');
  const sheet = useJob<Sheet>();
  const scores = useJob<Scores>();
  useEffect(() => {
    document.title = 'Augmentations – Thrive';
    get<Options>('/api/options').then(setOptions, (error: Error) => setProblem(error.message));
  }, []);
  const value = (key: string, usual: string): string => query.get(key) ?? usual;
  const teacher = value('teacher', '');
  const [run, whose = 'own'] = teacher.split(':');
  const data = value('data', runs.value.get(run!)?.data || 'synthetic');
  const chosen = value('augment', 'cutmix,mixup').split(',').filter(Boolean);
  const criterion = value('pick', '');
  const names = chosen.map((name) => (criterion ? `${name}+pick:${criterion}` : name)).join();
  const seed = Number(value('seed', '0')) || 0;
  const count = Math.max(2, Math.min(16, Number(value('count', '8')) || 8));
  const draw = value('draw', 'sample');
  const common = { data, augment: names, draw, ...(run ? { teacher: { run, whose } } : {}) };
  const drawSheet = (next: number): void => {
    choose({ seed: String(next) });
    sheet.start({ kind: 'sheet', ...common, seed: next, count });
  };
  if (!hasToken()) {
    return (
      <>
        <h1>Augmentations</h1>
        <p class="note">
          This page starts work on the machine, which needs the token: open the whole address that{' '}
          <code>thrive serve</code> printed.
        </p>
      </>
    );
  }
  return (
    <>
      <h1>Augmentations</h1>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <div class="tools">
        <label>
          Dataset
          <select value={data} onChange={(event) => choose({ data: event.currentTarget.value })}>
            {[...new Set([...(options?.datasets ?? []), data])].map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label class="grow">
          Teacher
          <select value={teacher} onChange={(event) => choose({ teacher: event.currentTarget.value })}>
            <option value="">none</option>
            {[...runs.value.values()]
              .filter(({ state }) => state !== 'broken')
              .slice(0, 500)
              .flatMap((one) => [
                <option key={one.id} value={one.id}>
                  {one.name} ({one.student})
                </option>,
                ...(one.teacher
                  ? [
                      <option key={`${one.id}:t`} value={`${one.id}:teacher`}>
                        teacher of {one.name} ({one.teacher})
                      </option>,
                    ]
                  : []),
              ])}
          </select>
        </label>
        <label>
          Draws
          <select value={draw} onChange={(event) => choose({ draw: event.currentTarget.value })}>
            <option value="sample">per sample</option>
            <option value="batch">per batch</option>
          </select>
        </label>
        <label>
          Pick by
          <select value={criterion} onChange={(event) => choose({ pick: event.currentTarget.value })}>
            <option value="">no picking</option>
            {options?.criteria.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label>
          Images{' '}
          <input
            type="number"
            min="2"
            max="16"
            value={count}
            onChange={(event) => choose({ count: event.currentTarget.value })}
          />
        </label>
        <label>
          Seed{' '}
          <input type="number" min="0" value={seed} onChange={(event) => choose({ seed: event.currentTarget.value })} />
        </label>
      </div>
      <fieldset class="chips">
        <legend>Schemes</legend>
        {options?.schemes.map((name) => (
          <label key={name} class="chip">
            <input
              type="checkbox"
              checked={chosen.includes(name)}
              onChange={(event) => {
                const next = event.currentTarget.checked ? [...chosen, name] : chosen.filter((one) => one !== name);
                choose({ augment: next.join() || undefined });
              }}
            />{' '}
            {name}
          </label>
        ))}
      </fieldset>
      <div class="tools">
        <button type="button" class="main" disabled={sheet.busy} onClick={() => drawSheet(seed)}>
          {sheet.busy ? 'Drawing…' : 'Draw'}
        </button>
        <button type="button" disabled={sheet.busy} onClick={() => drawSheet(seed + 1)}>
          Draw again, next seed
        </button>
      </div>
      {sheet.problem && (
        <p class="problem" role="alert">
          {sheet.problem}
        </p>
      )}
      {sheet.found?.leftOut.map(({ scheme, reason }) => (
        <p key={scheme} class="note">
          {scheme} is left out: {reason}
        </p>
      ))}
      {sheet.found && <Images sheet={sheet.found} />}
      <section aria-labelledby="measure">
        <h2 id="measure">T. stddev</h2>
        <p class="quiet">
          How much the teacher's mean answer varies under each scheme: less is better for a student. Measured live, in a
          process of its own that ends with this page.
        </p>
        <div class="tools">
          {scores.busy ? (
            <button type="button" onClick={scores.stop}>
              Stop
            </button>
          ) : (
            <button
              type="button"
              class="main"
              disabled={!run}
              onClick={() =>
                scores.start({
                  kind: 'stddev',
                  ...common,
                  seed,
                  epochs: Number(value('epochs', '10')) || 10,
                  batchSize: 64,
                })
              }
            >
              Measure
            </button>
          )}
          <label>
            Epochs{' '}
            <input
              type="number"
              min="1"
              max="1000"
              value={value('epochs', '10')}
              onChange={(event) => choose({ epochs: event.currentTarget.value })}
            />
          </label>
          {!run && <span class="quiet">choose a teacher</span>}
          {scores.found && <progress aria-label="measured" max={scores.found.total} value={scores.found.done} />}
        </div>
        {scores.problem && (
          <p class="problem" role="alert">
            {scores.problem}
          </p>
        )}
        {scores.found && <StddevTable scores={scores.found} />}
      </section>
    </>
  );
}
