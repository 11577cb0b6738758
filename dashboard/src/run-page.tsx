/** @file One run: its curves as they grow, its settings, what differs from another run, its files, how to repeat it. */
import { useSignal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { type Curves, get, type RunDetail } from './api.ts';
import { Chart, LARGEST, type Line, type Zoom, ZoomTools } from './chart.tsx';
import { ErrorsSection } from './errors-section.tsx';
import { bytes, compact, duration, fixed, NONE, plural, when } from './format.ts';
import { State } from './runs-page.tsx';
import { baseline, choose, link, mark, marked, metricsEvent, route, runs } from './state.ts';

type XAxis = 'epoch' | 'step' | 'images' | 'minutes';
const xTitles: Record<XAxis, string> = { epoch: 'epoch', step: 'step', images: 'images', minutes: 'minutes' };

/** Which chart a series belongs to, and what it is called there. Null: not drawn. */
function placeOf(name: string): { chart: string; label: string } | null {
  const fixedPlaces: Record<string, [string, string]> = {
    'epoch/train/top1': ['Accuracy, top-1 %', 'train'],
    'epoch/test/top1': ['Accuracy, top-1 %', 'test'],
    'epoch/dev/top1': ['Accuracy, top-1 %', 'dev'],
    'epoch/test/top5': ['Accuracy, top-5 %', 'test'],
    'epoch/dev/top5': ['Accuracy, top-5 %', 'dev'],
    'step/loss': ['Loss', 'train, each step'],
    'epoch/train/loss': ['Loss', 'train, epoch'],
    'epoch/test/loss': ['Test loss, cross entropy', 'test'],
    'epoch/dev/loss': ['Test loss, cross entropy', 'dev'],
    'step/lr': ['Learning rate', 'learning rate'],
    'epoch/train/imagesPerSecond': ['Speed, images/s', 'images/s'],
    'epoch/train/measures/pick_ratio': ['Picked ratio r', 'r'],
  };
  const found = fixedPlaces[name];
  if (found) return { chart: found[0], label: found[1] };
  let match = /^step\/terms\/(.+)$/.exec(name);
  if (match) return { chart: 'Loss terms', label: match[1]! };
  match = /^gradients\/terms\/(.+)\/share$/.exec(name);
  if (match) return { chart: 'Share of the gradient', label: match[1]! };
  match = /^epoch\/train\/measures\/(.+)$/.exec(name);
  if (match) return { chart: match[1]!.replaceAll('_', ' '), label: match[1]! };
  if (
    /^(epoch\/(epoch|lr|train\/terms|test\/(count|imagesPerSecond)|dev\/(count|imagesPerSecond))|step\/epoch|gradients\/)/.test(
      name,
    )
  )
    return null;
  const last = name.split('/').slice(1).join(' ');
  return { chart: last, label: last };
}

/** Steps as what is wanted on the horizontal axis. */
function ruler(curves: Curves, axis: XAxis, batchSize: number | null): (step: number) => number {
  const { epochs } = curves;
  const [first] = epochs;
  const perEpoch = first ? first[1] / first[0] : 0;
  if (axis === 'images' && batchSize) return (step) => step * batchSize;
  if (axis === 'epoch' && perEpoch > 0) return (step) => step / perEpoch;
  if (axis === 'minutes') {
    const known = [
      [0, 0],
      ...epochs.flatMap(([, step, seconds]) => (seconds === null ? [] : [[step, seconds / 60]])),
    ] as [number, number][];
    if (known.length > 1)
      return (step) => {
        let at = known.findIndex(([s]) => s >= step);
        if (at < 1) at = at === 0 ? 1 : known.length - 1;
        const [[s0, t0], [s1, t1]] = [known[at - 1]!, known[at]!];
        return s1 > s0 ? t0 + ((step - s0) / (s1 - s0)) * (t1 - t0) : t1;
      };
  }
  return (step) => step;
}

function charts(curves: Curves, axis: XAxis, batchSize: number | null): [string, Line[]][] {
  const toX = ruler(curves, axis, batchSize);
  const all = new Map<string, Line[]>();
  const order = [
    'Accuracy, top-1 %',
    'Loss',
    'Test loss, cross entropy',
    'Loss terms',
    'Share of the gradient',
    'Picked ratio r',
    'Accuracy, top-5 %',
    'Learning rate',
    'Speed, images/s',
  ];
  for (const { name, points, gaps } of curves.series) {
    const place = placeOf(name);
    if (!place) continue;
    const x: number[] = [];
    const y: (number | null)[] = [];
    for (let i = 0; i < points.length; i += 2) {
      const at = toX(points[i]!);
      if (!(Math.abs(at) < LARGEST)) continue;
      x.push(at);
      y.push(points[i + 1]!);
    }
    const line = {
      label: gaps > 0 ? `${place.label} (${plural(gaps, 'NaN')})` : place.label,
      x,
      y,
      exact: name.startsWith('epoch/') || name === 'step/lr',
    };
    all.set(place.chart, [...(all.get(place.chart) ?? []), line]);
  }
  const rank = (chart: string): number => (order.indexOf(chart) + order.length + 1) % (order.length + 1);
  return [...all].sort(([a], [b]) => rank(a) - rank(b));
}

function CurvesSection({ id, detail }: { id: string; detail: RunDetail }) {
  const [curves, setCurves] = useState<Curves | null>(null);
  const [problem, setProblem] = useState('');
  const { query } = route.value;
  const zoom = useSignal<Zoom>(null);
  const axis = (query.get('x') ?? 'epoch') as XAxis;
  const smoothing = Math.min(0.99, Math.max(0, Number(query.get('smooth') ?? 0.6) || 0));
  const log = query.get('log') === '1';
  const logX = query.get('logx') === '1';
  const version = metricsEvent.value?.id === id ? metricsEvent.value.version : 0;

  useEffect(() => {
    const controller = new AbortController();
    const load = async (): Promise<void> => {
      try {
        setCurves(await get<Curves>(`/api/runs/${id}/curves`, controller.signal));
        setProblem('');
      } catch (error) {
        if (!controller.signal.aborted) setProblem(error instanceof Error ? error.message : String(error));
      }
    };
    const timer = window.setTimeout(load, version === 0 ? 0 : 300);
    return () => {
      window.clearTimeout(timer);
      controller.abort();
    };
  }, [id, version]);

  const drawn = curves ? charts(curves, axis, detail.batchSize) : [];
  const xs = drawn.flatMap(([, lines]) => lines.flatMap(({ x }) => (x.length > 0 ? [x[0]!, x.at(-1)!] : [])));
  const whole = xs.length > 0 ? { min: Math.min(...xs), max: Math.max(...xs) } : null;
  const notes = curves
    ? [
        ...(curves.problem ? [curves.problem] : []),
        ...(curves.badLines > 0 ? [`${plural(curves.badLines, 'line')} of metrics.jsonl cannot be read`] : []),
        ...(curves.torn ? ['the last line is without its end: being written, or cut short by a crash'] : []),
      ]
    : [];
  return (
    <section aria-labelledby="curves">
      <div class="heading">
        <h2 id="curves">Curves</h2>
        <p class="quiet" role="status">
          {curves && curves.progress < 1 ? `a first look; reading, ${Math.floor(100 * curves.progress)} %` : ''}
        </p>
      </div>
      <div class="tools">
        <label>
          Across
          <select
            value={axis}
            onChange={(event) => {
              zoom.value = null;
              choose({ x: event.currentTarget.value });
            }}
          >
            {Object.entries(xTitles).map(([key, title]) => (
              <option key={key} value={key}>
                {title}
              </option>
            ))}
          </select>
        </label>
        <label>
          Smoothing <output>{smoothing.toFixed(2)}</output>
          <input
            type="range"
            min="0"
            max="0.99"
            step="0.01"
            value={smoothing}
            onInput={(event) => choose({ smooth: event.currentTarget.value })}
          />
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={log}
            onChange={(event) => choose({ log: event.currentTarget.checked ? '1' : undefined })}
          />{' '}
          Log y
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={logX}
            onChange={(event) => choose({ logx: event.currentTarget.checked ? '1' : undefined })}
          />{' '}
          Log x
        </label>
        <ZoomTools zoom={zoom} whole={whole} />
      </div>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {notes.map((note) => (
        <p key={note} class="note">
          {note}
        </p>
      ))}
      {curves && drawn.length === 0 && <p class="quiet">Nothing is recorded yet.</p>}
      <div class="charts">
        {!curves && !problem && [0, 1, 2, 3].map((i) => <div key={i} class="chart empty" />)}
        {drawn.map(([title, lines]) => (
          <Chart
            key={title}
            title={title}
            lines={lines}
            xTitle={xTitles[axis]}
            log={log}
            logX={logX}
            smoothing={smoothing}
            zoom={zoom}
          />
        ))}
      </div>
    </section>
  );
}

function Settings({ detail }: { detail: RunDetail }) {
  const others = [...runs.value.values()].filter(({ id, state }) => id !== detail.brief.id && state !== 'broken');
  const against =
    route.value.query.get('vs') ?? (baseline.value && baseline.value !== detail.brief.id ? baseline.value : '');
  const [other, setOther] = useState<RunDetail | null>(null);
  useEffect(() => {
    setOther(null);
    if (!against) return;
    const controller = new AbortController();
    get<RunDetail>(`/api/runs/${against}`, controller.signal).then(setOther, () => {});
    return () => controller.abort();
  }, [against]);
  const theirs = new Map(other?.settings.map(({ path, value }) => [path, value]));
  const ours = new Set(detail.settings.map(({ path }) => path));
  const rows = [
    ...detail.settings,
    ...(other?.settings ?? []).filter(({ path }) => !ours.has(path)).map((one) => ({ ...one, value: NONE })),
  ];
  const shown = other ? rows.filter(({ path, value }) => (theirs.get(path) ?? NONE) !== value) : rows;
  return (
    <section aria-labelledby="settings">
      <h2 id="settings">Settings</h2>
      <div class="tools">
        <label class="grow">
          What differs from
          <select value={against} onChange={(event) => choose({ vs: event.currentTarget.value })}>
            <option value="">– all settings –</option>
            {others.slice(0, 500).map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </label>
      </div>
      {other && shown.length === 0 ? (
        <p>Nothing differs.</p>
      ) : (
        <div class="scroll" role="region" aria-label="Table of settings" tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">Setting</th>
                <th scope="col">This run</th>
                {other && <th scope="col">{other.brief.name}</th>}
              </tr>
            </thead>
            <tbody>
              {shown.map(({ path, title, value }) => (
                <tr key={path}>
                  <th scope="row">
                    <code>{path}</code>
                    {title !== path && <span class="quiet small"> {title}</span>}
                  </th>
                  <td>{value}</td>
                  {other && <td>{theirs.get(path) ?? NONE}</td>}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Command({ title, text }: { title: string; text: string }) {
  const [copied, setCopied] = useState(false);
  return (
    <div class="command">
      <span>{title}</span>
      <code tabIndex={0}>{text}</code>
      <button
        type="button"
        onClick={() => {
          void navigator.clipboard.writeText(text).then(() => setCopied(true));
        }}
      >
        {copied ? 'Copied' : 'Copy'}
      </button>
    </div>
  );
}

export function RunPage({ id }: { id: string }) {
  const brief = runs.value.get(id);
  const [detail, setDetail] = useState<RunDetail | null>(null);
  const [problem, setProblem] = useState('');
  useEffect(() => {
    document.title = `${brief?.name ?? 'Run'} – Thrive`;
    const controller = new AbortController();
    get<RunDetail>(`/api/runs/${id}`, controller.signal).then(setDetail, (error: Error) => {
      if (!controller.signal.aborted) setProblem(error.message);
    });
    return () => controller.abort();
  }, [id, brief?.state, brief?.epoch]);
  if (!brief)
    return (
      <>
        <h1>Run</h1>
        <p class="problem" role="alert">
          There is no such run: it may have been moved or removed. <a href={link('runs')}>All runs</a>
        </p>
      </>
    );
  const facts: [string, string][] = [
    ['Top-1', brief.top1 === null ? NONE : `${fixed(brief.top1)} %`],
    [
      'Best',
      brief.best === null ? NONE : `${fixed(brief.best)} %${brief.chosenOn === 'test' ? ' on test' : ' by dev'}`,
    ],
    ['Test loss', fixed(brief.loss, 4)],
    ['Epochs', `${brief.epoch} of ${brief.epochs ?? '?'}`],
    ['Images/s', compact(brief.imagesPerSecond && Math.round(brief.imagesPerSecond))],
    brief.state === 'running' ? ['Time left', duration(brief.secondsLeft)] : ['Time', duration(brief.seconds)],
    ['Seed', String(brief.seed ?? NONE)],
    ...(detail?.teacher ? [['Teacher', `${fixed(detail.teacher.top1)} %`] as [string, string]] : []),
  ];
  return (
    <>
      <div class="heading">
        <h1>{brief.name}</h1>
        <State state={brief.state} />
        <label class="check">
          <input
            type="checkbox"
            checked={marked.value.has(id)}
            onChange={(event) => mark(id, event.currentTarget.checked)}
          />{' '}
          mark for comparing
        </label>
      </div>
      <p class="quiet">
        {[
          brief.label,
          brief.student && `student ${brief.student}`,
          brief.teacher && `teacher ${brief.teacher}`,
          brief.data,
          when(brief.created),
        ]
          .filter(Boolean)
          .join(' · ')}
      </p>
      {(problem || brief.problem) && (
        <p class="problem" role="alert">
          {problem || brief.problem}
        </p>
      )}
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {detail && <CurvesSection id={id} detail={detail} />}
      {detail && <ErrorsSection id={id} detail={detail} />}
      {detail && (
        <>
          <Settings detail={detail} />
          <section aria-labelledby="files">
            <h2 id="files">Files</h2>
            <p class="quiet path">{detail.folder}</p>
            {detail.resume && <Command title="Go on" text={detail.resume} />}
            <Command title="Repeat" text={detail.command} />
            <ul class="files">
              {detail.files.map(({ name, size }) => (
                <li key={name}>
                  <a href={`/api/runs/${id}/files/${encodeURIComponent(name)}`} download={name}>
                    {name}
                  </a>{' '}
                  <span class="quiet">{bytes(size)}</span>
                </li>
              ))}
            </ul>
            <p class="quiet small">{detail.versions.map(([name, value]) => `${name} ${value}`).join(' · ')}</p>
          </section>
        </>
      )}
    </>
  );
}
