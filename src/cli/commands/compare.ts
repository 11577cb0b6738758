/** @file `thrive compare`: runs side by side, with curves, correlations and what makes the comparison unfair. */
import { join, parse } from 'node:path';
import { styleText } from 'node:util';
import type { Command } from 'commander';
import { UserError } from '../../base/errors.ts';
import type { Comparison, ComparisonGroup, RowOrder } from '../../compare/compare.ts';
import type { LineChart } from '../../plot/chart.ts';
import { rowKey } from '../comparison.ts';
import { names } from '../flags.ts';
import { terminalWidth } from '../layout.ts';
import { colour, result, say } from '../output.ts';
import { checkOutputFile } from '../output-file.ts';

interface CompareFlags {
  vary?: string[];
  metric?: string;
  svg?: string;
  score?: string;
  scatter?: string;
  markdown?: boolean;
  csv?: boolean;
  sort: RowOrder;
  baseline?: string;
  curves: boolean;
  json?: boolean;
}

/** Colours that are seen on dark and light terminals, in an order that neighbours are told apart. */
const colours = ['cyan', 'yellow', 'magenta', 'green', 'red', 'blue'] as const;

const paint = (series: number, text: string): string =>
  colour(process.stdout) ? styleText(colours[series % colours.length]!, text, { validateStream: false }) : text;

/** More curves than this cannot be told apart in a terminal, nor on a page. */
const CURVES = 6;

/** The first rows that have a curve, and whose they are. */
function chartOf({ rows, curves }: Comparison): LineChart & { rows: number[] } {
  const drawn = rows
    .map((_, i) => i)
    .filter((i) => curves.rows[i]!.filter(({ mean }) => Number.isFinite(mean)).length > 1)
    .slice(0, CURVES);
  return {
    rows: drawn,
    xTitle: 'epoch',
    yTitle: curves.title,
    series: drawn.map((i) => ({
      label: rows[i]!.label + (rows[i]!.finished ? '' : ' (unfinished)'),
      points: curves.rows[i]!.map(({ epoch, mean, std }) => ({
        x: epoch,
        y: mean,
        band: std === null ? undefined : { low: mean - std, high: mean + std },
      })),
    })),
  };
}

/** All groups as one object: rows one after the other, and each group's own under `groups`. */
function asObject(groups: readonly ComparisonGroup[], notes: readonly string[]): object {
  const [first] = groups;
  if (groups.length === 1) return { ...first!.comparison, notes, groups };
  const all = groups.map(({ comparison }) => comparison);
  const { metric, title } = all[0]!.curves;
  return {
    rows: all.flatMap(({ rows }) => rows),
    curves: { metric, title, rows: all.flatMap(({ curves }) => curves.rows) },
    notes,
    groups,
  };
}

async function scatter(comparison: Comparison): Promise<string> {
  const { correlation, teachers, shared } = comparison;
  const { scatterSvg } = await import('../../plot/svg-scatter.ts');
  const { points, pearson, spearman, kendall } = correlation!;
  const teacher = shared['teacher.model'] ?? (teachers.length === 1 ? teachers[0]!.model : undefined);
  const pair = [teacher && shared.model ? `${teacher} to ${shared.model}` : shared.model, shared.data].filter(Boolean);
  return scatterSvg({
    title: pair.join(', '),
    subtitle: Object.entries({ Pearson: pearson, Spearman: spearman, Kendall: kendall })
      .flatMap(([name, found]) =>
        found && Number.isFinite(found.value)
          ? [`${name} ${found.value.toFixed(4)} (p ${(100 * found.p).toFixed(2)} %)`]
          : [],
      )
      .join(', '),
    xTitle: 'T. stddev',
    yTitle: 'student test loss',
    fit: pearson !== null,
    points: points.map(({ label, tStddev, loss }) => ({
      label,
      x: tStddev,
      y: loss.mean,
      yError: loss.std ?? undefined,
    })),
  });
}

/** `curves.svg`, and where there are several groups `curves-cifar100-resnet20.svg`, … */
function fileOf(path: string, groups: readonly ComparisonGroup[], { data, student }: ComparisonGroup): string {
  if (groups.length === 1) return path;
  const { dir, name, ext } = parse(path);
  return join(dir, `${name}-${data}-${parse(student).name}${ext}`);
}

async function execute(folders: string[], flags: CompareFlags): Promise<void> {
  const { vary, metric, svg, score, scatter: scatterFile, markdown, csv, json, baseline, sort } = flags;
  if (scatterFile !== undefined && score === undefined) {
    throw new UserError('--scatter draws T. stddev, and there is none', {
      hint: 'give --score FILE, from thrive score --out FILE',
    });
  }
  const forms = Object.entries({ '--json': json, '--markdown': markdown, '--csv': csv }).filter(([, given]) => given);
  if (forms.length > 1) {
    throw new UserError(`${forms.map(([flag]) => flag).join(' and ')} are forms of the same result`, {
      hint: 'choose one',
    });
  }
  checkOutputFile('--svg', svg, 'curves.svg');
  checkOutputFile('--scatter', scatterFile, 'stddev.svg');
  const { compareProject } = await import('../../compare/compare.ts');
  const { groups, notes } = compareProject(folders, { vary, metric, score, baseline, sort });
  for (const note of notes) say(`note: ${note}`);

  const { comparisonCsv, describeComparison } = await import('../comparison.ts');
  const { terminalChart } = await import('../../plot/terminal-chart.ts');
  const width = terminalWidth();
  const chart = (comparison: Comparison): string[] => {
    const drawn = chartOf(comparison);
    if (drawn.series.length === 0) return [];
    const painted = {
      width: Math.min(110, width ?? 100),
      paint: (i: number, text: string) => paint(drawn.rows[i]!, text),
    };
    const left = comparison.rows.length - drawn.rows.length;
    return [
      ...terminalChart(drawn, { ...painted, letter: (i) => rowKey(drawn.rows[i]!).charAt(0) }),
      ...(left > 0
        ? [`The first ${drawn.rows.length} of ${comparison.rows.length} rows that have curves are drawn.`]
        : []),
    ];
  };
  result(json, asObject(groups, notes), () => {
    if (csv) return comparisonCsv(groups);
    const style = markdown ? 'markdown' : 'terminal';
    return describeComparison(groups, { style, width, paint, ...(markdown || !flags.curves ? {} : { chart }) });
  });

  const { writeFileAtomic } = await import('../../base/files.ts');
  for (const group of groups) {
    const { comparison, data, student } = group;
    if (svg !== undefined) {
      const { lineChartSvg } = await import('../../plot/svg-line-chart.ts');
      const file = fileOf(svg, groups, group);
      writeFileAtomic(
        file,
        lineChartSvg({ title: [data, student].filter(Boolean).join(', '), ...chartOf(comparison) }),
      );
      say(`curves written to ${file}`);
    }
    if (scatterFile !== undefined) {
      const file = fileOf(scatterFile, groups, group);
      writeFileAtomic(file, await scatter(comparison));
      say(`scatter plot written to ${file}`);
    }
  }
}

export function registerCompare(program: Command): void {
  program
    .command('compare')
    .description('Compare runs: accuracy, loss and compute over seeds, learning curves, and what makes it unfair')
    .argument('<runs...>', 'run folders, or folders that hold some')
    .option(
      '--vary <settings>',
      'what is compared, separated by commas: augment, epochs, temperature, … (default: objective)',
      names,
    )
    .option(
      '--metric <name>',
      'of the curves: top1, top5, loss, train-loss, train-top1, dev-top1, dev-loss, lr, train-TERM (default: top1)',
    )
    .option('--svg <file>', 'draw the curves to this file')
    .option('--score <file>', "file of thrive score --out: correlate T. stddev with the students' test loss")
    .option('--scatter <file>', 'with --score: draw one against the other to this SVG file')
    .option('--sort <order>', 'of the rows: top1, best, loss, time, epochs or label', 'top1')
    .option(
      '--baseline <run>',
      "test every row against this one, named as in the table: points, Welch's t and its p-value",
    )
    .option('--csv', 'print the rows as comma-separated values')
    .option('--markdown', 'print the table as Markdown')
    .option('--no-curves', 'draw no curves in the terminal')
    .option('--json', 'print one JSON object on standard output, everything else on standard error')
    .addHelpText(
      'after',
      `
Runs of one dataset and one student are compared with each other; those that are equal but for the seed make one row: mean and
standard deviation. What else differs between rows, besides what is compared, is said under the table. The headline is the last epoch's accuracy; the best one is chosen on the held-out split, or
(without --holdout) with hindsight on the test set, and called so.

Examples:
  thrive compare runs
  thrive compare runs/ce runs/kd runs/cutmix --svg curves.svg --metric loss
  thrive compare runs --vary epochs
  thrive compare runs --baseline kd
  thrive compare runs --score scores.json --scatter stddev.svg`,
    )
    .action(execute);
}
