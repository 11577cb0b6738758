/** @file How a comparison reads: tables of results and of what differs, correlations; for the terminal and as Markdown. */
import { quantity } from '../base/quantity.ts';
import type { Comparison, ComparisonGroup, Difference, Spread } from '../compare/compare.ts';
import { wrap } from './layout.ts';
import { bold, duration, table } from './output.ts';

export type Style = 'terminal' | 'markdown';

/** `81.26 ± 0.31`; means and deviations of a column stand under each other. */
function spreads(column: readonly (Spread | null)[], digits: number): string[] {
  const means = column.map((spread) => (spread && !Number.isNaN(spread.mean) ? spread.mean.toFixed(digits) : '-'));
  const width = Math.max(...means.map((text) => text.length));
  const stds = column.map((spread) => (spread?.std == null ? '' : ` ± ${spread.std.toFixed(digits)}`));
  const widest = Math.max(...stds.map((text) => text.length));
  return means.map((text, i) => text.padStart(width) + stds[i]!.padEnd(widest));
}

/** 950, 12,000, 1.2 M: four digits say enough of a cost. */
export function amount(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (value < 1e6) return Math.round(value).toLocaleString('en-US');
  const [scaled, unit] = value < 1e9 ? [value / 1e6, 'M'] : [value / 1e9, 'G'];
  return `${scaled.toPrecision(4)} ${unit}`;
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** What stands for a row in curves and in the table of what differs: a, b, …, Z, a2, b2, … */
export const rowKey = (row: number): string => {
  const round = Math.floor(row / LETTERS.length);
  return LETTERS[row % LETTERS.length]! + (round > 0 ? String(round + 1) : '');
};

/** `a-c, f` */
function keysInWords(rows: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const row of rows) {
    const last = runs.at(-1);
    if (last && row === last[1] + 1) last[1] = row;
    else runs.push([row, row]);
  }
  return runs
    .map(([from, to]) => {
      if (from === to) return rowKey(from);
      return to === from + 1 ? `${rowKey(from)}, ${rowKey(to)}` : `${rowKey(from)}-${rowKey(to)}`;
    })
    .join(', ');
}

interface Column {
  head: string;
  cells: string[];
}

/** `p 0.03`, and `p < 0.0001` where digits would say nothing. */
const pValue = (p: number): string => (p < 0.0001 ? '< 0.0001' : p.toFixed(4));

function baselineColumns({ rows }: Comparison): Column[] {
  if (!rows.some(({ against }) => against)) return [];
  const signed = (value: number): string => (value > 0 ? '+' : '') + value.toFixed(2);
  const of = (read: (against: NonNullable<Comparison['rows'][number]['against']>) => string): string[] =>
    rows.map(({ against }) => (against ? read(against) : '-'));
  return [
    { head: 'points', cells: of(({ difference }) => signed(difference)) },
    { head: "Welch's t", cells: of(({ test }) => (test ? test.t.toFixed(2) : '-')) },
    { head: 'p', cells: of(({ test }) => (test ? pValue(test.p) : '-')) },
  ];
}

/** Which row it is, then its numbers: those that do not fit beside the first go into a second table. */
function columns(comparison: Comparison): { lead: [Column, Column]; rest: Column[] } {
  const { rows } = comparison;
  const chosen = new Set(rows.flatMap(({ best }) => (best ? [best.chosenOn] : [])));
  const bestHead = chosen.size === 1 ? (chosen.has('dev') ? 'best by dev' : 'best on test') : 'best';
  const bests = spreads(
    rows.map(({ best }) => best),
    2,
  ).map((text, i) => {
    const on = rows[i]!.best?.chosenOn;
    return chosen.size > 1 && on ? `${text} ${on === 'dev' ? 'by dev' : 'on test'}` : text;
  });
  const of = (head: string, cells: string[]): Column => ({ head, cells });
  return {
    lead: [
      of(
        '',
        rows.map((_, i) => rowKey(i)),
      ),
      of(
        'run',
        rows.map(({ label }) => label),
      ),
    ],
    rest: [
      of(
        'seeds',
        rows.map(({ seeds }) => String(seeds.length)),
      ),
      of(
        'epochs',
        rows.map(({ finished, epoch, epochs }) => (finished ? String(epochs) : `${epoch}/${epochs}`)),
      ),
      of(
        'top-1 %',
        spreads(
          rows.map((row) => row.top1),
          2,
        ),
      ),
      ...baselineColumns(comparison),
      of(
        'test loss',
        spreads(
          rows.map((row) => row.loss),
          4,
        ),
      ),
      of(bestHead, bests),
      of(
        'images seen',
        rows.map((row) => amount(row.imagesSeen)),
      ),
      of(
        'teacher fwd',
        rows.map((row) => amount(row.teacherForwards)),
      ),
      of(
        'student fwd',
        rows.map((row) => amount(row.studentForwards)),
      ),
      of(
        'time',
        rows.map((row) => duration(row.seconds)),
      ),
    ],
  };
}

const escapeCell = (text: string): string => text.replace(/[|\\<>*_`[\]]/g, '\\$&').replace(/\s+/g, ' ');

function markdownTable(list: readonly Column[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const [first] = list;
  return [
    line(list.map(({ head }) => head)),
    line(list.map((_, i) => (i === 0 ? '---' : '---:'))),
    ...first!.cells.map((_, row) => line(list.map(({ cells }) => escapeCell(cells[row]!.trim())))),
  ].join('\n');
}

/** The widest label of a row in a terminal; longer ones go on in the next line. */
const LABEL = 30;

const widthOf = ({ head, cells }: Column): number => Math.max(head.length, ...cells.map((cell) => [...cell].length));

/** Rows whose cells may have several lines. */
const spreadLines = (rows: readonly (readonly string[])[][]): string[][] =>
  rows.flatMap((cells) =>
    Array.from({ length: Math.max(...cells.map((lines) => lines.length)) }, (_, i) =>
      cells.map((lines) => lines[i] ?? ''),
    ),
  );

/** One table, or as many as the width asks for, each with the rows' names. `paint` colours the i-th row's key. */
function terminalTables(
  { lead: [key, name], rest }: ReturnType<typeof columns>,
  width: number | undefined,
  paint: (row: number, text: string) => string,
): string {
  const label = width === undefined ? widthOf(name) : Math.min(LABEL, widthOf(name));
  const leading = widthOf(key) + 2 + label;
  const parts: Column[][] = [[]];
  let used = leading;
  for (const column of rest) {
    const more = 2 + widthOf(column);
    if (width !== undefined && used + more > width && parts.at(-1)!.length > 0) {
      parts.push([]);
      used = leading;
    }
    parts.at(-1)!.push(column);
    used += more;
  }
  const names = name.cells.map((text) => wrap(text, width === undefined ? undefined : label, '  '));
  return parts
    .map((part) =>
      table(
        [key.head, name.head.padEnd(label), ...part.map(({ head }) => head)],
        spreadLines(
          names.map((lines, row) => [[paint(row, rowKey(row))], lines, ...part.map(({ cells }) => [cells[row]!])]),
        ),
      ),
    )
    .join('\n\n');
}

/** What all rows have in common, in one line. */
function commonLine({ shared, teachers, rows }: Comparison): string {
  const { data, model, epochs, batchSize, limitTrain } = shared;
  const teacher = shared['teacher.model'];
  const [only] = teachers;
  const score = teachers.length === 1 && only && Number.isFinite(only.top1) ? ` (top-1 ${only.top1.toFixed(2)} %)` : '';
  const parts = [
    data && (limitTrain && limitTrain !== 'all' ? `${data} (${limitTrain} training images)` : data),
    model && `student ${model}`,
    teacher && `teacher ${teacher}${score}`,
    epochs && quantity(Number(epochs), 'epoch'),
    batchSize && `batches of ${batchSize}`,
  ].filter(Boolean);
  return parts.length > 0 && rows.length > 0 ? parts.join(', ') : '';
}

/** One line for each setting that rows differ in: its values, the most common first, and whose they are. */
function differenceTable(heading: string, list: readonly [string, string][], style: Style, width?: number): string[] {
  if (list.length === 0) return [];
  if (style === 'markdown') return [`${heading}:`, '', ...list.map(([title, text]) => `- ${title}: ${text}`)];
  const titles = list.map(([title]) => wrap(title, width === undefined ? undefined : LABEL, '  '));
  const left = Math.max(...titles.flat().map((line) => line.length), 'setting'.length);
  const rows = list.map(([, text], i) => [titles[i]!, wrap(text, width === undefined ? undefined : width - left - 2)]);
  return [...wrap(bold(heading), width), table(['setting', 'value (rows)'], spreadLines(rows))];
}

function valuesInWords({ values }: Difference, rows: number): string {
  const told = values.reduce((sum, value) => sum + value.rows.length, 0);
  return values
    .map(({ shown, rows: whose }, i) =>
      // The most common value needs no list where every row has one.
      i === 0 && told === rows && whose.length > 3 && values.length > 1
        ? `${shown} (others)`
        : `${shown} (${keysInWords(whose)})`,
    )
    .join('; ');
}

/** What is not as it should be in a comparison, and what else differs, by the rows' letters. */
function differenceBlocks({ rows, differences }: Comparison, style: Style, width?: number): string[][] {
  const unfinished = rows.flatMap(({ finished }, i) => (finished ? [] : [i]));
  const of = (...kinds: Difference['kind'][]): [string, string][] =>
    differences
      .filter(({ kind, setting }) => kinds.includes(kind) && setting !== 'objective')
      .map((difference) => [difference.title, valuesInWords(difference, rows.length)]);
  const unfair: [string, string][] = [
    ...(unfinished.length > 0 ? ([['unfinished', keysInWords(unfinished)]] as [string, string][]) : []),
    ...of('unfair'),
  ];
  return [
    differenceTable('Not compared like with like', unfair, style, width),
    differenceTable('Also different', of('compared', 'hindsight', 'machine'), style, width),
  ].filter((lines) => lines.length > 0);
}

/** What the numbers are, said once under all tables. */
function protocolLines(all: readonly Comparison[]): string[] {
  const rows = all.flatMap((comparison) => comparison.rows);
  const chosen = new Set(rows.flatMap(({ best }) => (best ? [best.chosenOn] : [])));
  const lines = ["top-1 and loss are the last epoch's, on the test set."];
  if (chosen.has('test')) lines.push('Best on test was chosen with hindsight: it is no fair estimate.');
  if (chosen.has('dev')) lines.push('Best by dev was chosen on images kept out of training.');
  if (rows.some(({ seeds }) => seeds.length > 1)) lines.push('± is the standard deviation over seeds (n - 1).');
  if (rows.length > 1 && rows.some(({ seeds }) => seeds.length < 2)) {
    lines.push('A row of one seed has no deviation: a small difference from it says little.');
  }
  const against = rows.find((row) => row.against)?.against;
  if (against) {
    lines.push(
      `Points and Welch's t are against ${against.baseline}; p is two-sided, of one comparison, not corrected for several.`,
    );
  }
  return lines;
}

/** `0.02 %`, as the paper prints it. */
const percent = (p: number): string => (Number.isNaN(p) ? '-' : `${(100 * p).toFixed(2)} %`);

function correlationLines({ correlation, rows }: Comparison, style: Style): string[] {
  if (!correlation) return [];
  const { points, notes } = correlation;
  const heading = "T. stddev against the students' test loss";
  const lines = [style === 'markdown' ? `**${heading}**` : bold(heading)];
  if (points.length > 0) {
    const list: Column[] = [
      { head: 'augmentation', cells: points.map(({ label }) => label) },
      { head: 'run', cells: points.map(({ row }) => rows[row]!.label) },
      { head: 'T. stddev', cells: points.map(({ tStddev }) => tStddev.toFixed(6)) },
      {
        head: 'test loss',
        cells: spreads(
          points.map(({ loss }) => loss),
          4,
        ),
      },
    ];
    lines.push(
      style === 'markdown'
        ? `\n${markdownTable(list)}`
        : table(
            list.map(({ head }) => head),
            points.map((_, row) => list.map(({ cells }) => cells[row]!)),
          ),
      '',
    );
  }
  const { pearson, spearman, kendall } = correlation;
  if (pearson && spearman && kendall) {
    const one = (name: string, { value, p }: typeof pearson): string =>
      `${name} ${Number.isNaN(value) ? 'undefined' : value.toFixed(4)} (p ${percent(p)})`;
    lines.push(
      `${one('Pearson', pearson)}, ${one('Spearman', spearman)}, ${one('Kendall', kendall)} over ${points.length} points`,
    );
  }
  return [...lines, ...notes.map((note) => `Note: ${note}`)];
}

/** What a comparison is drawn with. */
export interface Drawing {
  style: Style;
  /** The terminal's; unknown where the output is a file or a pipe. */
  width?: number | undefined;
  /** Colours what belongs to the i-th row. */
  paint?: (row: number, text: string) => string;
  /** Curves of a group as lines; none unless given. */
  chart?: (comparison: Comparison) => string[];
}

function describeGroup(comparison: Comparison, { style, width, paint = (_, text) => text, chart }: Drawing): string[] {
  const { rows, differences } = comparison;
  const list = columns(comparison);
  const common = commonLine(comparison);
  const differs = differenceBlocks(comparison, style, width);
  const same =
    rows.length > 1 && !differences.some(({ kind }) => kind === 'unfair') && rows.every(({ finished }) => finished)
      ? ['Rows differ only in what is compared.']
      : [];
  const blocks = [
    common === '' ? [] : style === 'markdown' ? [`${common}.`] : wrap(common, width).map(bold),
    [
      style === 'markdown'
        ? markdownTable([list.lead[1], { ...list.lead[0], head: 'row' }, ...list.rest])
        : terminalTables(list, width, paint),
    ],
    ...differs,
    same,
    chart?.(comparison) ?? [],
    correlationLines(comparison, style).flatMap((line) => (line.includes('\n') ? [line] : wrap(line, width))),
  ];
  return blocks.filter((block) => block.length > 0).map((block) => block.join('\n'));
}

/** Every group's tables, and under all what the numbers are. */
export function describeComparison(groups: readonly ComparisonGroup[], drawing: Drawing): string {
  const all = groups.map(({ comparison }) => comparison);
  const protocol = protocolLines(all);
  return [
    ...all.flatMap((comparison) => describeGroup(comparison, drawing)),
    drawing.style === 'markdown'
      ? protocol.join(' ')
      : protocol.flatMap((line) => wrap(line, drawing.width, '  ')).join('\n'),
  ].join('\n\n');
}

const csvCell = (value: unknown): string => {
  const text =
    value === null || value === undefined || (typeof value === 'number' && !Number.isFinite(value))
      ? ''
      : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** A line for each row, with a heading; empty where there is no number (RFC 4180). */
export function comparisonCsv(groups: readonly ComparisonGroup[]): string {
  const records = groups.flatMap(({ comparison }) =>
    comparison.rows.map((row) => {
      const { label, seeds, finished, epoch, epochs, top1, top5, loss, best, against } = row;
      return {
        data: row.data,
        student: row.student,
        run: label,
        seeds: seeds.join(' '),
        n: top1.n,
        finished,
        epoch,
        epochs,
        top1: top1.mean,
        top1_std: top1.std,
        top5: top5.mean,
        loss: loss.mean,
        loss_std: loss.std,
        best: best?.mean,
        best_std: best?.std,
        best_chosen_on: best?.chosenOn,
        difference: against?.difference,
        t: against?.test?.t,
        freedom: against?.test?.freedom,
        p: against?.test?.p,
        images_seen: row.imagesSeen,
        teacher_forwards: row.teacherForwards,
        student_forwards: row.studentForwards,
        seconds: row.seconds,
      };
    }),
  );
  const heading = Object.keys(records[0] ?? {});
  return [heading, ...records.map((record) => Object.values(record))]
    .map((line) => line.map(csvCell).join(','))
    .join('\n');
}
