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
        const lines = report.checks.flatMap(({ status, name, found, advice }) => [
          `${mark[status]}  ${name.padEnd(14)} ${found}`,
          ...(advice ? [`      ${''.padEnd(14)} ${advice}`] : []),
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
