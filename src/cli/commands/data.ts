/** @file `thrive data list`, `thrive data get` and `thrive data check`. */
import type { Command } from 'commander';
import { positiveInteger } from '../flags.ts';
import { result, table } from '../output.ts';

export function registerData(program: Command): void {
  const data = program.command('data').description('List datasets, download them, check images');
  data
    .command('list')
    .description('The datasets, and where those that are here lie')
    .option('--data-dir <folder>', 'folder to look in (or set THRIVE_DATA)')
    .option('--json', 'print one JSON object')
    .action(async (flags: { dataDir?: string; json?: boolean }) => {
      const { DATASETS } = await import('../../data/index.ts');
      const { UserError } = await import('../../base/errors.ts');
      const sets = Object.values(DATASETS).map((info) => {
        let where = 'generated';
        try {
          where = info.folder('train', flags.dataDir) ?? where;
        } catch (error) {
          if (!(error instanceof UserError)) throw error;
          where = `not here; thrive data get ${info.name}`;
        }
        return {
          name: info.name,
          classes: info.classes,
          size: info.size,
          ...(info.count ?? { train: 0, test: 0 }),
          where,
        };
      });
      result(flags.json, { sets }, () =>
        table(
          ['name', 'classes', 'pixels', 'train', 'test', 'where'],
          sets.map(({ name, classes, size, train, test, where }) => [name, classes, `${size}`, train, test, where]),
        ),
      );
    });
  data
    .command('get')
    .description('Download a dataset from its official place, with resume and checksum')
    .argument('<name>', 'cifar100, cifar10, fashion-mnist, mnist')
    .option('--data-dir <folder>', 'folder to put it in (default: THRIVE_DATA, or ./data)')
    .option('--mirror <url>', 'another address that serves the same files under the same names')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExamples:\n  thrive data get cifar100\n  thrive data get fashion-mnist --data-dir ~/data')
    .action(async (name: string, flags: { dataDir?: string; mirror?: string; json?: boolean }) => {
      const { getDataset } = await import('../../data/index.ts');
      const { transferProgress } = await import('../progress.ts');
      const bar = transferProgress();
      const got = await getDataset(name, {
        ...(flags.dataDir ? { dir: flags.dataDir } : {}),
        ...(flags.mirror ? { mirror: flags.mirror } : {}),
        onProgress: bar.update,
      }).finally(bar.end);
      result(flags.json, got, () => got.message);
    });
  data
    .command('check')
    .description(
      'Read every image of a folder or a list once: what is damaged, there twice, or in training and in testing',
    )
    .argument('<path>', 'a folder of images, or a .csv or .jsonl list of path and label')
    .option('--workers <n>', 'decoding threads (default: all processors)', positiveInteger)
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExamples:\n  thrive data check ./photos\n  thrive data check list.csv --json')
    .action(async (path: string, flags: { workers?: number; json?: boolean }) => {
      const { checkImages } = await import('../../data/index.ts');
      const { listImages } = await import('../../data/listing/folder.ts');
      const { imageReport } = await import('../image-report.ts');
      const listing = listImages(path);
      const report = await checkImages(listing, flags.workers ? { workers: flags.workers } : {});
      result(flags.json, { ...report, ignored: listing.ignored, split: listing.split }, () =>
        imageReport(listing, report),
      );
      if (report.damaged.length > 0) process.exitCode = 1;
    });
}
