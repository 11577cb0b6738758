/** @file `thrive compare`: runs side by side, with curves, correlations and what makes the comparison unfair. */
import { styleText } from 'node:util';
import type { Command } from 'commander';
import { UserError } from '../../base/errors.ts';
import type { Comparison } from '../../compare/compare.ts';
import type { LineChart } from '../../plot/chart.ts';
import { names } from '../flags.ts';
import { colour, result, say } from '../output.ts';
import { checkOutputFile } from '../output-file.ts';

interface CompareFlags {
  vary?: string[];
  metric?: string;
  svg?: string;
  score?: string;
  scatter?: string;
  markdown?: boolean;
  curves: boolean;
  json?: boolean;
}

/** Colours that are seen on dark and light terminals, in an order that neighbours are told apart. */
const colours = ['cyan', 'yellow', 'magenta', 'green', 'red', 'blue'] as const;

const paint = (series: number, text: string): string =>
  colour(process.stdout) ? styleText(colours[series % colours.length]!, text, { validateStream: false }) : text;

function chartOf({ rows, curves }: Comparison): LineChart {
  return {
    xTitle: 'epoch',
    yTitle: curves.title,
    series: curves.rows.map((points, i) => ({
      label: rows[i]!.label + (rows[i]!.finished ? '' : ' (unfinished)'),
      points: points.map(({ epoch, mean, std }) => ({
        x: epoch,
        y: mean,
        band: std === null ? undefined : { low: mean - std, high: mean + std },
      })),
    })),
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

async function execute(folders: string[], flags: CompareFlags): Promise<void> {
  const { vary, metric, svg, score, scatter: scatterFile, markdown, json } = flags;
  if (scatterFile !== undefined && score === undefined) {
    throw new UserError('--scatter draws T. stddev, and there is none', {
      hint: 'give --score FILE, from thrive score --out FILE',
    });
  }
  if (json && markdown)
    throw new UserError('--json and --markdown are two forms of the same result', { hint: 'choose one' });
  checkOutputFile('--svg', svg, 'curves.svg');
  checkOutputFile('--scatter', scatterFile, 'stddev.svg');
  const { compareRuns } = await import('../../compare/compare.ts');
  const comparison = compareRuns(folders, { vary, metric, score });
  for (const note of comparison.notes) say(`note: ${note}`);

  const { describeComparison } = await import('../comparison.ts');
  const { terminalChart } = await import('../../plot/terminal-chart.ts');
  const chart = chartOf(comparison);
  const width = process.stdout.isTTY ? process.stdout.columns || 80 : undefined;
  result(json, comparison, () => {
    const text = describeComparison(comparison, markdown ? 'markdown' : 'terminal', width);
    const drawn = chart.series.some(({ points }) => points.filter(({ y }) => Number.isFinite(y)).length > 1);
    if (markdown || !flags.curves || !drawn) return text;
    return [text, '', ...terminalChart(chart, { width: Math.min(110, width ?? 100), paint })].join('\n');
  });

  const { writeFileAtomic } = await import('../../base/files.ts');
  if (svg !== undefined) {
    const { lineChartSvg } = await import('../../plot/svg-line-chart.ts');
    const { shared } = comparison;
    const title = [shared.data, shared.model].filter(Boolean).join(', ');
    writeFileAtomic(svg, lineChartSvg({ title, ...chart }));
    say(`curves written to ${svg}`);
  }
  if (scatterFile !== undefined) {
    writeFileAtomic(scatterFile, await scatter(comparison));
    say(`scatter plot written to ${scatterFile}`);
  }
}

export function registerCompare(program: Command): void {
  program
    .command('compare')
    .description('Compare runs: accuracy, loss and compute over seeds, learning curves, and what makes it unfair')
    .argument('<runs...>', 'run folders, or folders that hold some')
    .option(
      '--vary <settings>',
      'what is compared, separated by commas: strong, epochs, kd.temperature, … (default: objective)',
      names,
    )
    .option(
      '--metric <name>',
      'of the curves: top1, top5, loss, train-loss, train-top1, dev-top1, dev-loss, lr, train-TERM (default: top1)',
    )
    .option('--svg <file>', 'draw the curves to this file')
    .option('--score <file>', "file of thrive score --out: correlate T. stddev with the students' test loss")
    .option('--scatter <file>', 'with --score: draw one against the other to this SVG file')
    .option('--markdown', 'print the table as Markdown')
    .option('--no-curves', 'draw no curves in the terminal')
    .option('--json', 'print one JSON object on standard output, everything else on standard error')
    .addHelpText(
      'after',
      `
Runs that are equal but for the seed make one row: mean and standard deviation. What else differs between rows, besides what is
compared, is said under the table. The headline is the last epoch's accuracy; the best one is chosen on the held-out split, or
(without --holdout) with hindsight on the test set, and called so.

Examples:
  thrive compare runs
  thrive compare runs/ce runs/kd runs/cutmix --svg curves.svg --metric loss
  thrive compare runs --vary epochs
  thrive compare runs --score scores.json --scatter stddev.svg`,
    )
    .action(execute);
}
