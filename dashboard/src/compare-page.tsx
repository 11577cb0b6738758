/** @file Marked runs compared: the table with what is unfair, curves with bands over seeds, differences with their intervals. */
import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { Comparison, Spread } from '../../src/compare/compare.ts';
import type { RowDifference } from '../../src/serve/compare-runs.ts';
import { get } from './api.ts';
import { Chart, type Line, type Zoom, ZoomTools } from './chart.tsx';
import { compact, duration, fixed, percent, plural, signed } from './format.ts';
import { Scatter } from './scatter.tsx';
import { choose, link, mark, marked, route, runs } from './state.ts';

interface Answer {
  comparison: Comparison;
  tests: RowDifference[];
  ids: string[][];
}

const spread = (of: Spread | null, digits = 2): string =>
  of === null || of.mean === null
    ? '–'
    : `${fixed(of.mean, digits)}${of.std === null ? '' : ` ± ${fixed(of.std, digits)}`}`;

/** Unfair differences, each with the rows that stand out by it. */
function unfair({ rows, differences }: Comparison): { mark: string; text: string; rows: number[] }[] {
  const notes = differences
    .filter(({ kind }) => kind === 'unfair')
    .map(({ setting, title, values }) => ({
      text: `differs in ${title}: ${values.map(({ shown, rows: of }) => `${shown} (${of.length === rows.length - 1 && rows.length > 2 ? 'the others' : of.map((row) => rows[row]!.label).join('; ')})`).join(', ')}`,
      rows: rows.flatMap(({ flags }, i) => (flags.some((flag) => flag.setting === setting) ? [i] : [])),
    }));
  const unfinished = rows.flatMap(({ finished }, i) => (finished ? [] : [i]));
  if (unfinished.length > 0) {
    notes.unshift({
      text: `unfinished: ${unfinished.map((i) => `${rows[i]!.label} after ${rows[i]!.epoch} of ${plural(rows[i]!.epochs, 'epoch')}`).join('; ')}`,
      rows: unfinished,
    });
  }
  return notes.map((note, i) => ({ ...note, mark: String.fromCharCode(97 + (i % 26)) }));
}

function Table({ comparison, ids }: Answer) {
  const { rows, shared, teachers, differences } = comparison;
  const notes = unfair(comparison);
  const common = [
    shared.data,
    shared.model && `student ${shared.model}`,
    shared['teacher.model'] && `teacher ${shared['teacher.model']}`,
    shared.epochs && `${shared.epochs} epochs`,
    shared.batchSize && `batches of ${shared.batchSize}`,
  ].filter(Boolean);
  const compute = differences.filter(({ kind }) => kind === 'compute').map(({ title }) => title);
  const machine = differences.filter(({ kind }) => kind === 'machine').map(({ title }) => title);
  return (
    <section aria-labelledby="table">
      <h2 id="table">Side by side</h2>
      <p class="quiet">
        {common.join(', ')}
        {teachers.length === 1 && teachers[0]!.top1 !== null ? ` (teacher's top-1 ${fixed(teachers[0]!.top1)} %)` : ''}
      </p>
      <div class="scroll" role="region" aria-label="Comparison" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">Runs</th>
              <th scope="col" class="number">
                Seeds
              </th>
              <th scope="col" class="number">
                Epochs
              </th>
              <th scope="col" class="number">
                Top-1 %
              </th>
              <th scope="col" class="number">
                Best %
              </th>
              <th scope="col" class="number">
                Test loss
              </th>
              <th scope="col">Notes</th>
              <th scope="col" class="number">
                Images seen
              </th>
              <th scope="col" class="number">
                Teacher fwd
              </th>
              <th scope="col" class="number">
                Student fwd
              </th>
              <th scope="col" class="number">
                Time
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row, i) => (
              <tr key={row.label}>
                <th scope="row">
                  <span class={`swatch c${i % 6}`} aria-hidden="true" /> {row.label}
                  <span class="small">
                    {' '}
                    {ids[i]!.map((id) => (
                      <a
                        key={id}
                        href={link('run', id)}
                        aria-label={`${runs.value.get(id)?.seed ?? '·'}: ${runs.value.get(id)?.name}`}
                      >
                        {runs.value.get(id)?.seed ?? '·'}{' '}
                      </a>
                    ))}
                  </span>
                </th>
                <td class="number">{row.seeds.length}</td>
                <td class="number">{row.finished ? row.epochs : `${row.epoch}/${row.epochs}`}</td>
                <td class="number">{spread(row.top1)}</td>
                <td class="number">
                  {spread(row.best)}
                  {row.best?.chosenOn === 'test' ? '*' : ''}
                </td>
                <td class="number">{spread(row.loss, 4)}</td>
                <td>
                  {notes
                    .filter((note) => note.rows.includes(i))
                    .map(({ mark: letter }) => letter)
                    .join(' ')}
                </td>
                <td class="number">{compact(row.imagesSeen)}</td>
                <td class="number">{compact(row.teacherForwards)}</td>
                <td class="number">{compact(row.studentForwards)}</td>
                <td class="number">{duration(row.seconds)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {notes.length > 0 ? (
        <div class="note" data-notes>
          <strong>Not compared like with like</strong>
          <ul>
            {notes.map(({ mark: letter, text }) => (
              <li key={letter}>
                <b>{letter}</b>: {text}
              </li>
            ))}
          </ul>
        </div>
      ) : (
        rows.length > 1 && <p>Rows differ only in what is compared.</p>
      )}
      <p class="quiet small">
        Top-1 and loss are the last epoch's, on the test set; ± is the standard deviation over seeds (n − 1). * chosen
        with hindsight on the test set: no fair estimate.
        {compute.length > 0 && ` Compute differs: ${compute.join(', ')}.`}
        {machine.length > 0 && ` Times are of different machines or settings: ${machine.join(', ')}.`}
      </p>
      {comparison.notes.map((note) => (
        <p key={note} class="note">
          {note}
        </p>
      ))}
    </section>
  );
}

function Differences({ comparison, tests }: Answer) {
  const { rows } = comparison;
  if (tests.length === 0) {
    return rows.length > 1 ? (
      <section>
        <h2>Differences</h2>
        <p class="quiet">An interval needs two seeds or more in both rows.</p>
      </section>
    ) : null;
  }
  return (
    <section aria-labelledby="differences">
      <h2 id="differences">Differences</h2>
      <div class="scroll" role="region" aria-label="Table of differences" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">Rows</th>
              <th scope="col">Of</th>
              <th scope="col" class="number">
                Difference
              </th>
              <th scope="col" class="number">
                95 % interval
              </th>
              <th scope="col" class="number">
                p
              </th>
            </tr>
          </thead>
          <tbody>
            {tests.map(({ a, b, metric, difference, low, high, p }) => {
              const digits = metric === 'top1' ? 2 : 4;
              return (
                <tr key={`${a}-${b}-${metric}`} class={p !== null && p < 0.05 ? 'sure' : ''}>
                  <th scope="row">
                    {rows[a]!.label} − {rows[b]!.label}
                  </th>
                  <td>{metric === 'top1' ? 'top-1 %' : 'test loss'}</td>
                  <td class="number">{signed(difference, digits)}</td>
                  <td class="number">
                    {signed(low, digits)} to {signed(high, digits)}
                  </td>
                  <td class="number">{p === null ? '–' : percent(p)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <p class="quiet small">Welch's t-test over seeds. With many pairs some p below 0.05 come by chance.</p>
    </section>
  );
}

function Curves({ comparison }: Answer) {
  const zoom = useSignal<Zoom>(null);
  const { curves, rows } = comparison;
  const lines = useMemo(
    (): Line[] =>
      curves.rows.map((points, i) => ({
        label: rows[i]!.label,
        x: points.map(({ epoch }) => epoch),
        y: points.map(({ mean }) => mean),
        exact: true,
        ...(points.some(({ std }) => std !== null)
          ? {
              band: {
                low: points.map(({ mean, std }) => (std === null ? null : mean - std)),
                high: points.map(({ mean, std }) => (std === null ? null : mean + std)),
              },
            }
          : {}),
      })),
    [comparison],
  );
  const xs = lines.flatMap(({ x }) => x);
  return (
    <section aria-labelledby="curves">
      <div class="heading">
        <h2 id="curves">Curves</h2>
        <ZoomTools zoom={zoom} whole={xs.length > 1 ? { min: Math.min(...xs), max: Math.max(...xs) } : null} />
      </div>
      <div class="charts wide">
        <Chart title={curves.title} lines={lines} xTitle="epoch" log={false} smoothing={0} zoom={zoom} height={360} />
      </div>
      <p class="quiet small">The mean over seeds, and a standard deviation to each side.</p>
    </section>
  );
}

export function ComparePage() {
  const { query } = route.value;
  const given = query.get('runs');
  const ids = given ? given.split(',') : [...marked.value];
  const metric = query.get('metric') ?? 'top1';
  const score = query.get('score') ?? '';
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [problem, setProblem] = useState('');
  const key = ids.join();
  useEffect(() => {
    document.title = 'Compare – Thrive';
    if (key === '') return;
    // The link keeps what is compared.
    if (given !== key) choose({ runs: key });
    const controller = new AbortController();
    const wanted = new URLSearchParams({ runs: key, metric, ...(score ? { score } : {}) });
    get<Answer>(`/api/compare?${wanted}`, controller.signal).then(
      (found) => {
        setAnswer(found);
        setProblem('');
      },
      (error: Error) => {
        if (!controller.signal.aborted) {
          setProblem(error.message);
        }
      },
    );
    return () => controller.abort();
  }, [key, metric, score]);
  if (ids.length === 0)
    return (
      <>
        <h1>Compare</h1>
        <p>
          Mark runs in the <a href={link('runs')}>list</a> first: those that are equal but for the seed make one row.
        </p>
      </>
    );
  return (
    <>
      <div class="heading">
        <h1>Compare</h1>
        <p class="quiet">{plural(ids.length, 'run')}</p>
      </div>
      <div class="tools">
        <label>
          Curves of
          <select value={metric} onChange={(event) => choose({ metric: event.currentTarget.value })}>
            {[
              ['top1', 'test top-1'],
              ['top5', 'test top-5'],
              ['loss', 'test loss'],
              ['train-loss', 'training loss'],
              ['train-top1', 'training top-1'],
              ['lr', 'learning rate'],
            ].map(([name, title]) => (
              <option key={name} value={name}>
                {title}
              </option>
            ))}
          </select>
        </label>
        <label class="grow">
          T. stddev from
          <input
            type="text"
            value={score}
            placeholder="file of thrive score --out, inside a folder that is shown"
            onChange={(event) => choose({ score: event.currentTarget.value })}
          />
        </label>
        <button
          type="button"
          onClick={() => {
            for (const id of [...marked.value]) mark(id, false);
            choose({ runs: undefined });
            setAnswer(null);
          }}
        >
          Clear
        </button>
      </div>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {!answer && !problem && <p class="quiet">Comparing…</p>}
      {answer && <Table {...answer} />}
      {answer && <Curves {...answer} />}
      {answer && <Differences {...answer} />}
      {answer?.comparison.correlation && <Scatter correlation={answer.comparison.correlation} />}
    </>
  );
}
