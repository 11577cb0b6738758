/** @file `thrive doctor`: is this machine able to train? Each check says what it found and, if bad, what to do. */
import type { Command } from 'commander';
import { exitCodes, result } from '../output.ts';

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('Check whether this machine can train, and how fast; exit code 0 if it can')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExamples:\n  thrive doctor\n  thrive doctor --json')
    .action(async (flags: { json?: boolean }) => {
      const { diagnose } = await import('../doctor.ts');
      const report = diagnose();
      result(flags.json, report, () => {
        const mark = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' } as const;
        // What is found or advised may be a list of its own: every line of it stands in the same column.
        const column = (text: string): string => text.split('\n').join(`\n${' '.repeat(21)}`);
        const lines = report.checks.flatMap(({ status, name, found, advice }) => [
          `${mark[status]}  ${name.padEnd(14)} ${column(found)}`,
          ...(advice ? [`${' '.repeat(21)}${column(advice)}`] : []),
        ]);
        return [
          ...lines,
          '',
          report.ok ? 'This machine can train.' : 'This machine cannot train yet; see FAIL above.',
        ].join('\n');
      });
      if (!report.ok) process.exitCode = exitCodes.failure;
    });
}
