/** @file All runs in a table: filtered, sorted, grouped by seed, measured against a baseline. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { RunBrief } from './api.ts';
import { compact, duration, fixed, NONE, plural, signed, when } from './format.ts';
import { baseline, choose, link, loaded, mark, marked, route, runs, setBaseline } from './state.ts';

interface Column {
  key: string;
  title: string;
  /** What it is sorted by. */
  by(run: RunBrief): string | number | null;
  show(run: RunBrief): string;
  numeric?: boolean;
  /** Shown unless chosen otherwise. */
  usual?: boolean;
}

const against = (run: RunBrief): number | null => {
  const base = runs.value.get(baseline.value);
  return base && base.id !== run.id && base.top1 !== null && run.top1 !== null ? run.top1 - base.top1 : null;
};

const columns: Column[] = [
  { key: 'label', title: 'Learns from', by: (r) => r.label, show: (r) => r.label || NONE, usual: true },
  { key: 'student', title: 'Student', by: (r) => r.student, show: (r) => r.student || NONE, usual: true },
  { key: 'teacher', title: 'Teacher', by: (r) => r.teacher, show: (r) => r.teacher || NONE },
  { key: 'data', title: 'Dataset', by: (r) => r.data, show: (r) => r.data || NONE },
  { key: 'seed', title: 'Seed', by: (r) => r.seed, show: (r) => String(r.seed ?? NONE), numeric: true, usual: true },
  {
    ...{ key: 'epoch', title: 'Epochs', by: (r) => r.epoch, numeric: true, usual: true },
    show: (r) =>
      r.epochs === null ? String(r.epoch) : r.state === 'finished' ? String(r.epochs) : `${r.epoch} / ${r.epochs}`,
  },
  { key: 'top1', title: 'Top-1 %', by: (r) => r.top1, show: (r) => fixed(r.top1), numeric: true, usual: true },
  { key: 'delta', title: 'Δ baseline', by: against, show: (r) => signed(against(r)), numeric: true },
  {
    ...{ key: 'best', title: 'Best %', by: (r) => r.best, numeric: true, usual: true },
    show: (r) => (r.best === null ? NONE : `${fixed(r.best)}${r.chosenOn === 'test' ? '*' : ''}`),
  },
  { key: 'loss', title: 'Test loss', by: (r) => r.loss, show: (r) => fixed(r.loss, 4), numeric: true },
  {
    key: 'speed',
    title: 'Images/s',
    by: (r) => r.imagesPerSecond,
    show: (r) => compact(r.imagesPerSecond && Math.round(r.imagesPerSecond)),
    numeric: true,
    usual: true,
  },
  {
    key: 'left',
    title: 'Time left',
    by: (r) => r.secondsLeft,
    show: (r) => duration(r.secondsLeft),
    numeric: true,
    usual: true,
  },
  { key: 'seconds', title: 'Time taken', by: (r) => r.seconds, show: (r) => duration(r.seconds), numeric: true },
  { key: 'created', title: 'Begun', by: (r) => r.created, show: (r) => when(r.created) },
];

const stateOrder = ['running', 'failed', 'broken', 'stale', 'stopped', 'finished'];
const stateHelp: Record<string, string> = {
  running: 'a process is at work',
  finished: 'trained to its last epoch',
  stopped: 'was asked to stop; can go on',
  stale: 'its process is gone without a word; can go on',
  failed: 'its loss became no number',
  broken: 'its files cannot be read',
};

export const State = ({ state }: { state: string }) => (
  <span class={`state ${state}`} title={stateHelp[state]}>
    {state}
  </span>
);

/** Every word must be somewhere in the row. */
function matches(run: RunBrief, words: readonly string[]): boolean {
  const text =
    `${run.name} ${run.label} ${run.student} ${run.teacher} ${run.data} ${run.state} seed:${run.seed}`.toLowerCase();
  return words.every((word) =>
    word.startsWith('-') && word.length > 1 ? !text.includes(word.slice(1)) : text.includes(word),
  );
}

const collator = new Intl.Collator('en', { numeric: true });
function compare(a: string | number | null, b: string | number | null): number {
  if (a === b) return 0;
  // What is not there comes last, whichever way it is sorted.
  if (a === null || a === '') return Number.POSITIVE_INFINITY;
  if (b === null || b === '') return Number.NEGATIVE_INFINITY;
  return typeof a === 'number' && typeof b === 'number' ? a - b : collator.compare(String(a), String(b));
}

function sorted(list: RunBrief[], key: string, down: boolean): RunBrief[] {
  const column = columns.find((one) => one.key === key);
  const by =
    key === 'name'
      ? (r: RunBrief) => r.name
      : key === 'state'
        ? (r: RunBrief) => stateOrder.indexOf(r.state)
        : column?.by;
  if (!by) return list;
  return [...list].sort((a, b) => {
    const order = compare(by(a), by(b));
    return Number.isFinite(order) ? (down ? -order : order) || collator.compare(a.name, b.name) : order > 0 ? 1 : -1;
  });
}

const STEP = 100;

function Row({ run, shown, inGroup }: { run: RunBrief; shown: Column[]; inGroup?: boolean }) {
  const isBase = baseline.value === run.id;
  return (
    <tr class={`${inGroup ? 'member' : ''} ${isBase ? 'base' : ''}`} data-run={run.id}>
      <td class="pick">
        <input
          type="checkbox"
          aria-label={`mark ${run.name}`}
          checked={marked.value.has(run.id)}
          onChange={(event) => mark(run.id, event.currentTarget.checked)}
        />
      </td>
      <th scope="row">
        <a href={link('run', run.id)}>{run.name}</a>
        {run.problem && <span class="problem small">{run.problem}</span>}
      </th>
      <td>
        <State state={run.state} />
      </td>
      {shown.map((column) => (
        <td key={column.key} class={column.numeric ? 'number' : ''}>
          {column.show(run)}
        </td>
      ))}
      <td class="act">
        <button
          type="button"
          class="quiet"
          aria-pressed={isBase}
          aria-label={isBase ? `baseline: ${run.name}` : `set as baseline: ${run.name}`}
          onClick={() => setBaseline(isBase ? '' : run.id)}
        >
          {isBase ? 'baseline' : 'set'}
        </button>
      </td>
    </tr>
  );
}

function Group({ members, shown }: { members: RunBrief[]; shown: Column[] }) {
  const [open, setOpen] = useState(false);
  const [first] = members;
  const values = members.flatMap(({ top1 }) => top1 ?? []);
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const std = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / (values.length - 1));
  const cell = (column: Column): string => {
    if (column.key === 'top1') return values.length > 1 ? `${fixed(mean)} ± ${fixed(std)}` : fixed(values[0] ?? null);
    if (column.key === 'seed')
      return members
        .map(({ seed }) => seed)
        .sort()
        .join(', ');
    if (column.key === 'best' || column.key === 'delta' || column.numeric) return '';
    return column.key === 'created' ? '' : column.show(first!);
  };
  if (members.length === 1) return <Row run={first!} shown={shown} />;
  const all = members.every(({ id }) => marked.value.has(id));
  return (
    <>
      <tr class="group">
        <td class="pick">
          <input
            type="checkbox"
            aria-label={`mark all seeds of ${first!.label}`}
            checked={all}
            onChange={(event) => {
              for (const { id } of members) mark(id, event.currentTarget.checked);
            }}
          />
        </td>
        <th scope="row">
          <button type="button" class="open" aria-expanded={open} onClick={() => setOpen(!open)}>
            {plural(members.length, 'seed')}: {first!.label || first!.name}
          </button>
        </th>
        <td>
          {[...new Set(members.map(({ state }) => state))].map((state) => (
            <State key={state} state={state} />
          ))}
        </td>
        {shown.map((column) => (
          <td key={column.key} class={column.numeric ? 'number' : ''}>
            {cell(column)}
          </td>
        ))}
        <td />
      </tr>
      {open && members.map((run) => <Row key={run.id} run={run} shown={shown} inGroup />)}
    </>
  );
}

export function RunsPage() {
  const { query } = route.value;
  const [limit, setLimit] = useState(STEP);
  const filter = useRef<HTMLInputElement>(null);
  const table = useRef<HTMLTableElement>(null);
  const text = query.get('q') ?? '';
  const sort = query.get('sort') ?? 'created';
  const down = query.has('sort') ? query.get('down') === '1' : true;
  const grouped = query.get('group') === '1';
  const cols = query.get('cols');
  const shown = columns.filter(({ key, usual }) =>
    cols ? cols.split(',').includes(key) : usual || (key === 'delta' && baseline.value !== ''),
  );
  const state = query.get('state') ?? '';
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const all = [...runs.value.values()];
  const list = sorted(
    all.filter((run) => (state === '' || run.state === state) && matches(run, words)),
    sort,
    down,
  );
  const groups = grouped ? [...Map.groupBy(list, ({ group }) => group).values()] : [];
  const counts = Map.groupBy(all, (run) => run.state);

  useEffect(() => {
    document.title = 'Runs – Thrive';
    const keys = (event: KeyboardEvent): void => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || ['INPUT', 'SELECT', 'TEXTAREA'].includes(target.tagName)) {
        if (event.key === 'Escape' && target === filter.current) target.blur();
        return;
      }
      const links = [...(table.current?.querySelectorAll<HTMLElement>('tbody th a, tbody th button') ?? [])];
      const at = links.indexOf(document.activeElement as HTMLElement);
      const row = document.activeElement?.closest('tr');
      if (event.key === '/') filter.current?.focus();
      else if (event.key === 'j' || event.key === 'ArrowDown') links[Math.min(links.length - 1, at + 1)]?.focus();
      else if (event.key === 'k' || event.key === 'ArrowUp') links[Math.max(0, at - 1)]?.focus();
      else if (event.key === 'x') row?.querySelector<HTMLInputElement>('input')?.click();
      else if (event.key === 'b') row?.querySelector<HTMLButtonElement>('.act button')?.click();
      else if (event.key === 'c' && marked.value.size > 0) location.hash = link('compare');
      else return;
      event.preventDefault();
    };
    window.addEventListener('keydown', keys);
    return () => window.removeEventListener('keydown', keys);
  }, []);

  const head = (key: string, title: string, numeric = false) => (
    <th
      key={key}
      scope="col"
      class={numeric ? 'number' : ''}
      aria-sort={sort === key ? (down ? 'descending' : 'ascending') : 'none'}
    >
      <button
        type="button"
        onClick={() => choose({ sort: key, down: sort === key ? (down ? undefined : '1') : numeric ? '1' : undefined })}
      >
        {title}
        <span class="arrow" aria-hidden="true">
          {sort === key ? (down ? '↓' : '↑') : ''}
        </span>
      </button>
    </th>
  );
  if (loaded.value && all.length === 0) {
    return (
      <>
        <h1>Runs</h1>
        <p>
          No run here yet. <code>thrive train --data synthetic --model resnet8</code> makes one; it appears by itself.
        </p>
      </>
    );
  }
  const rows = grouped ? groups.length : list.length;
  return (
    <>
      <div class="heading">
        <h1>Runs</h1>
        <p class="quiet" role="status">
          {list.length === all.length
            ? plural(all.length, 'run')
            : `${list.length.toLocaleString('en-US')} of ${plural(all.length, 'run')}`}
          {[...counts]
            .filter(([key]) => key !== 'finished')
            .map(([key, some]) => `, ${some.length} ${key}`)
            .join('')}
        </p>
      </div>
      <div class="tools">
        <label class="grow">
          Filter
          <input
            ref={filter}
            type="search"
            value={text}
            placeholder="cutmix resnet20 -stopped  ( / )"
            onInput={(event) => choose({ q: event.currentTarget.value })}
          />
        </label>
        <label>
          State
          <select value={state} onChange={(event) => choose({ state: event.currentTarget.value })}>
            <option value="">all</option>
            {stateOrder.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={grouped}
            onChange={(event) => choose({ group: event.currentTarget.checked ? '1' : undefined })}
          />{' '}
          Group seeds
        </label>
        <details class="menu">
          <summary>Columns</summary>
          <fieldset>
            <legend class="hidden">Columns</legend>
            {columns.map(({ key, title }) => (
              <label key={key} class="check">
                <input
                  type="checkbox"
                  checked={shown.some((column) => column.key === key)}
                  onChange={(event) => {
                    const on = event.currentTarget.checked;
                    choose({
                      cols:
                        columns
                          .filter((column) => (column.key === key ? on : shown.includes(column)))
                          .map((column) => column.key)
                          .join() || 'none',
                    });
                  }}
                />{' '}
                {title}
              </label>
            ))}
          </fieldset>
        </details>
        <a class={`button ${marked.value.size === 0 ? 'off' : ''}`} href={link('compare')}>
          Compare {marked.value.size || ''}
        </a>
      </div>
      <div class="scroll" role="region" aria-label="Runs" tabIndex={0}>
        <table class="runs" ref={table}>
          <thead>
            <tr>
              <th scope="col" class="pick">
                <span class="hidden">Marked</span>
              </th>
              {head('name', 'Run')}
              {head('state', 'State')}
              {shown.map(({ key, title, numeric }) => head(key, title, numeric))}
              <th scope="col" class="act">
                Baseline
              </th>
            </tr>
          </thead>
          <tbody>
            {grouped
              ? groups
                  .slice(0, limit)
                  .map((members) => <Group key={members[0]!.group} members={members} shown={shown} />)
              : list.slice(0, limit).map((run) => <Row key={run.id} run={run} shown={shown} />)}
          </tbody>
        </table>
      </div>
      {rows > limit && (
        <button type="button" class="more" onClick={() => setLimit(limit + 4 * STEP)}>
          Show more ({(rows - limit).toLocaleString('en-US')})
        </button>
      )}
      <p class="quiet small">
        * best on the test set, chosen with hindsight: no fair estimate. Keys: j k move, Enter opens, x marks, b
        baseline, c compares, / filters.
      </p>
    </>
  );
}
