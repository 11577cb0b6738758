/** @file `thrive quickstart`: the main job in minutes, on real images where they can be had. */
import type { Command } from 'commander';
import { number } from '../flags.ts';

export function registerQuickstart(program: Command): void {
  program
    .command('quickstart')
    .description('Train a teacher, a student alone, and the student distilled from the teacher, and compare them')
    .option(
      '--data <name>',
      'dataset (default: fashion-mnist, downloaded if need be; synthetic where it cannot be had)',
    )
    .option('--data-dir <folder>', 'folder that holds the dataset (or set THRIVE_DATA)')
    .option('--minutes <n>', 'about how long to train in all', number, 4)
    .option('--out <folder>', 'folder for the three runs (default: a new one under runs/)')
    .option('--json', 'print one JSON object on standard output')
    .action(async (flags: import('../quickstart.ts').QuickstartFlags) => {
      const { quickstart } = await import('../quickstart.ts');
      await quickstart(flags);
    });
}
