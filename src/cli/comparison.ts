/** @file How a comparison reads: table, footnotes, correlations; for the terminal and as Markdown. */
import { quantity } from '../base/quantity.ts';
import type { Comparison, Difference, Spread } from '../compare/compare.ts';
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

interface Footnote {
  mark: string;
  text: string;
  rows: number[];
}

const letter = (i: number): string => String.fromCharCode(97 + (i % 26)).repeat(1 + Math.floor(i / 26));

/** `40 in KD + cutmix, 20 in the others`: the most common value comes last, and as that. */
function valuesInWords({ values }: Difference, labels: readonly string[]): string {
  const one = values.length === labels.length || values.reduce((sum, { rows }) => sum + rows.length, 0) < labels.length;
  const named = ({ shown, rows }: Difference['values'][number]): string =>
    `${shown} in ${rows.map((row) => labels[row]).join('; ')}`;
  const [common, ...others] = values;
  const last = one || common!.rows.length === 1 ? named(common!) : `${common!.shown} in the others`;
  return [...others.map(named), last].join(' / ');
}

/** Footnotes for what is unfair, in the order of the flags, and which rows they belong to. */
function footnotes({ rows, differences }: Comparison): Footnote[] {
  const labels = rows.map(({ label }) => label);
  const unfinished = rows.flatMap(({ finished }, i) => (finished ? [] : [i]));
  const notes: Omit<Footnote, 'mark'>[] = [];
  if (unfinished.length > 0) {
    const texts = unfinished.map(
      (i) => `${labels[i]} after ${rows[i]!.epoch} of ${quantity(rows[i]!.epochs, 'epoch')}`,
    );
    notes.push({ text: `unfinished: ${texts.join('; ')}`, rows: unfinished });
  }
  for (const difference of differences.filter(({ kind }) => kind === 'unfair')) {
    const flagged = rows.flatMap(({ flags }, i) =>
      flags.some(({ setting }) => setting === difference.setting) ? [i] : [],
    );
    notes.push({ text: `differs in ${difference.title}: ${valuesInWords(difference, labels)}`, rows: flagged });
  }
  return notes.map((note, i) => ({ ...note, mark: letter(i) }));
}

interface Column {
  head: string;
  cells: string[];
  /** Part of the first table where the columns do not fit beside each other. */
  first: boolean;
}

function columns({ rows }: Comparison, notes: readonly Footnote[], style: Style): Column[] {
  const chosen = new Set(rows.flatMap(({ best }) => (best ? [best.chosenOn] : [])));
  const bestHead = chosen.size === 1 ? (chosen.has('dev') ? 'best by dev' : 'best on test') : 'best';
  const bests = spreads(
    rows.map(({ best }) => best),
    2,
  ).map((text, i) => {
    const on = rows[i]!.best?.chosenOn;
    return chosen.size > 1 && on ? `${text} ${on === 'dev' ? 'by dev' : 'on test'}` : text;
  });
  const marks = rows.map((_, i) => notes.flatMap(({ mark, rows: flagged }) => (flagged.includes(i) ? [mark] : [])));
  const of = (head: string, cells: string[], first = true): Column => ({ head, cells, first });
  return [
    of(
      'run',
      rows.map(({ label }) => label),
    ),
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
    of(bestHead, bests),
    of(
      'test loss',
      spreads(
        rows.map((row) => row.loss),
        4,
      ),
    ),
    ...(marks.some((list) => list.length > 0)
      ? [
          of(
            style === 'markdown' ? 'notes' : 'note',
            marks.map((list) => list.join(' ')),
          ),
        ]
      : []),
    of(
      'images seen',
      rows.map((row) => amount(row.imagesSeen)),
      false,
    ),
    of(
      'teacher fwd',
      rows.map((row) => amount(row.teacherForwards)),
      false,
    ),
    of(
      'student fwd',
      rows.map((row) => amount(row.studentForwards)),
      false,
    ),
    of(
      'time',
      rows.map((row) => duration(row.seconds)),
      false,
    ),
  ];
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

function terminalTable(list: readonly Column[], width: number | undefined): string {
  const draw = (some: readonly Column[]): string =>
    table(
      some.map(({ head }) => head),
      some[0]!.cells.map((_, row) => some.map(({ cells }) => cells[row]!)),
    );
  const whole = draw(list);
  const [rule = ''] = whole.split('\n').slice(1);
  if (width === undefined || rule.length <= width) return whole;
  const [name, ...rest] = list;
  return [rest.filter(({ first }) => first), rest.filter(({ first }) => !first)]
    .map((part) => draw([name!, ...part]))
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

const inWords: Partial<Record<Difference['kind'], string>> = {
  machine: 'times were measured on different machines or settings:',
  hindsight: 'the best epoch was looked for among different numbers of measurements:',
};

function protocolLines(comparison: Comparison, notes: readonly Footnote[]): string[] {
  const { rows, differences } = comparison;
  const labels = rows.map(({ label }) => label);
  const chosen = new Set(rows.flatMap(({ best }) => (best ? [best.chosenOn] : [])));
  const lines = ["top-1 and loss are the last epoch's, on the test set."];
  if (chosen.has('test')) lines.push('Best on test was chosen with hindsight: it is no fair estimate.');
  if (chosen.has('dev')) lines.push('Best by dev was chosen on images kept out of training.');
  const several = rows.some(({ seeds }) => seeds.length > 1);
  if (several) lines.push('± is the standard deviation over seeds (n - 1).');
  if (rows.length > 1 && rows.some(({ seeds }) => seeds.length < 2)) {
    lines.push('A row of one seed has no deviation: a small difference from it says little.');
  }
  const result = [...lines];
  if (rows.length > 1 && notes.length === 0) {
    const what = differences.filter(({ kind }) => kind === 'compared').map(({ title }) => title);
    result.push(`Rows differ only in what is compared${what.length > 0 ? `: ${what.join(', ')}` : ''}.`);
  }
  for (const kind of ['hindsight', 'machine'] as const) {
    const some = differences.filter((difference) => difference.kind === kind);
    if (some.length === 0) continue;
    result.push(
      `Note: ${inWords[kind]} ${some.map((difference) => `${difference.title} ${valuesInWords(difference, labels)}`).join('; ')}.`,
    );
  }
  const compute = differences.filter(({ kind }) => kind === 'compute').map(({ title }) => title);
  if (compute.length > 0) result.push(`Compute differs: ${compute.join(', ')}.`);
  return result;
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
      { head: 'augmentation', cells: points.map(({ label }) => label), first: true },
      { head: 'run', cells: points.map(({ row }) => rows[row]!.label), first: true },
      { head: 'T. stddev', cells: points.map(({ tStddev }) => tStddev.toFixed(6)), first: true },
      {
        head: 'test loss',
        cells: spreads(
          points.map(({ loss }) => loss),
          4,
        ),
        first: true,
      },
    ];
    lines.push(style === 'markdown' ? `\n${markdownTable(list)}` : terminalTable(list, undefined), '');
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

/** The table with its notes. `width` is the terminal's; unknown where the output is a file or a pipe. */
export function describeComparison(comparison: Comparison, style: Style, width?: number): string {
  const notes = footnotes(comparison);
  const list = columns(comparison, notes, style);
  const common = commonLine(comparison);
  const unfair =
    notes.length === 0
      ? []
      : [
          'Not compared like with like:',
          ...notes.map(({ mark, text }) => `${style === 'markdown' ? '- ' : '  '}${mark}: ${text}`),
        ];
  const blocks = [
    common === '' ? [] : [style === 'markdown' ? `${common}.` : common],
    [style === 'markdown' ? markdownTable(list) : terminalTable(list, width)],
    unfair.length > 1 && style === 'markdown' ? [unfair[0]!, '', ...unfair.slice(1)] : unfair,
    style === 'markdown' ? [protocolLines(comparison, notes).join(' ')] : protocolLines(comparison, notes),
    correlationLines(comparison, style),
  ];
  return blocks
    .filter((block) => block.length > 0)
    .map((block) => block.join('\n'))
    .join('\n\n');
}
