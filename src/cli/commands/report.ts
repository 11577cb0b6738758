/** @file `thrive report`: runs in one self-contained page. */
import type { Command } from 'commander';
import { result } from '../output.ts';
import { checkOutputFile } from '../output-file.ts';

interface ReportFlags {
  out: string;
  title?: string;
  score?: string;
  json?: boolean;
}

async function execute(folders: string[], { out, title, score, json }: ReportFlags): Promise<void> {
  checkOutputFile('--out', out, 'report.html');
  const { makeReport } = await import('../../serve/report.ts');
  const { writeFileAtomic } = await import('../../base/files.ts');
  const html = makeReport(folders, { score, ...(title === undefined ? {} : { title }) });
  writeFileAtomic(out, html);
  const bytes = Buffer.byteLength(html);
  result(json, { out, bytes }, () => `${out}: ${Math.ceil(bytes / 1000)} kB`);
}

export function registerReport(program: Command): void {
  program
    .command('report')
    .description(
      'Runs compared in one HTML file of its own: tables, curves, settings, what is unfair; no scripts, printable',
    )
    .argument('<runs...>', 'run folders, or folders that hold some')
    .option('--out <file>', 'the page', 'report.html')
    .option('--title <text>', 'its title (default: Runs compared)')
    .option('--score <file>', "file of thrive score --out: T. stddev beside the students' test loss")
    .option('--json', 'print one JSON object on standard output, everything else on standard error')
    .addHelpText(
      'after',
      `
Images of errors are in it where thrive eval --save has kept them.

Examples:
  thrive report runs
  thrive report runs/ce runs/kd --title "CE and KD" --out kd.html`,
    )
    .action(execute);
}
