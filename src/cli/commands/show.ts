/** @file `thrive show`: one run explained. */
import type { Command } from 'commander';
import { commandLine } from '../invocation.ts';
import { terminalWidth, wrap } from '../layout.ts';
import { bold, duration, result, table } from '../output.ts';
import type { RunReport } from '../run-report.ts';

const bytes = (n: number): string => (n < 1e6 ? `${(n / 1e3).toFixed(1)} kB` : `${(n / 1e6).toFixed(1)} MB`);
const percent = (value: number): string => `${value.toFixed(2)} %`;

function states(report: RunReport): string {
  const { state, detail, epoch, epochs, seconds } = report;
  const after = `after ${epoch} of ${epochs} ${epochs === 1 ? 'epoch' : 'epochs'}`;
  if (state === 'finished') return `finished: ${epochs} ${epochs === 1 ? 'epoch' : 'epochs'} in ${duration(seconds)}`;
  if (state === 'running') return `running (${detail}), ${after}`;
  if (state === 'failed') return `failed ${after}: ${detail}`;
  return `stopped ${after}`;
}

async function describe(report: RunReport, width: number | undefined): Promise<string> {
  const { shownSetting } = await import('../run-report.ts');
  const { terminalChart } = await import('../../plot/terminal-chart.ts');
  const { folder, task, data, student, objective, seed, created, last, best, teacher, state, curve } = report;
  const line = (name: string, text: string): string[] => wrap(`${name.padEnd(10)}${text}`, width, ' '.repeat(10));
  const lines: string[] = [
    ...wrap(bold(`${objective}: ${student} on ${data}, seed ${seed}`), width),
    '',
    ...line('state', states(report)),
    ...(created ? line('began', created.slice(0, 16).replace('T', ' ')) : []),
    `command   ${report.commandLine ? commandLine(...report.commandLine) : 'not kept in this run'}`,
    ...(teacher ? line('teacher', `top-1 ${percent(teacher.top1)}, loss ${teacher.loss.toFixed(4)}`) : []),
    ...(last
      ? line(
          'last',
          `epoch ${last.epoch}: top-1 ${percent(last.top1)}, top-5 ${percent(last.top5)}, loss ${last.loss.toFixed(4)}`,
        )
      : line('last', 'nothing measured yet')),
    ...(best
      ? line(
          'best',
          `epoch ${best.epoch}: top-1 ${percent(best.top1)} (${best.chosenOn === 'dev' ? 'chosen on the held-out split' : 'chosen on the test set, with hindsight: no fair estimate'})`,
        )
      : []),
  ];
  const settings = Object.entries(report.settings);
  if (settings.length > 0) {
    lines.push(
      '',
      table(
        ['setting', 'value'],
        settings.map(([path, value]) => [path, shownSetting(path, value)]),
      ),
      'All others are the defaults.',
    );
  }
  const measured = curve.filter(({ test }) => test !== null);
  if (measured.length > 1) {
    lines.push(
      '',
      ...terminalChart(
        {
          xTitle: 'epoch',
          yTitle: 'top-1 (%)',
          series: [
            { label: 'test', points: measured.map(({ epoch, test }) => ({ x: epoch, y: test! })) },
            { label: 'training', points: curve.map(({ epoch, train }) => ({ x: epoch, y: train })) },
          ],
        },
        { width: Math.min(100, width ?? 100), height: 10 },
      ),
    );
  }
  // TensorBoard's own names are long and say nothing.
  const files = report.files.map((file) => ({
    ...file,
    name: file.name.replace(/^(events\.out\.tfevents)\..*/, '$1.*'),
  }));
  const names = Math.max(...files.map(({ name }) => name.length));
  lines.push('', bold('files'));
  for (const { name, bytes: size, what } of files) {
    const head = `${name.padEnd(names)}  ${bytes(size).padStart(8)}  `;
    lines.push(...wrap(head + what, width, ' '.repeat(head.length)));
  }
  // Commands are not broken: they are there to be copied.
  const next =
    state === 'finished'
      ? [commandLine('eval', folder), commandLine('export', folder, '--format', 'onnx', '--normalize')]
      : state === 'running'
        ? []
        : [commandLine(task, '--resume', folder)];
  if (next.length > 0) lines.push('', bold(state === 'finished' ? 'next' : 'continue with'), ...next);
  return lines.join('\n');
}

async function execute(folder: string, flags: { json?: boolean }): Promise<void> {
  const { reportRun } = await import('../run-report.ts');
  const report = reportRun(folder);
  const text = flags.json ? '' : await describe(report, terminalWidth());
  result(flags.json, report, () => text);
}

export function registerShow(program: Command): void {
  program
    .command('show')
    .description('Explain a run: what was asked for, how it went, what its folder holds')
    .argument('<run>', 'the folder that a run printed')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  thrive show runs/NAME
  thrive show runs/NAME --json`,
    )
    .action(execute);
}
