/** @file `thrive import`: weights from PyTorch or a safetensors file as a checkpoint that says what it is. */
import type { Command } from 'commander';
import { integer } from '../flags.ts';
import { commandLine } from '../invocation.ts';
import { result, say } from '../output.ts';

interface ImportFlags {
  model?: string;
  data: string;
  dataDir?: string;
  out: string;
  key?: string;
  normalization?: string;
  resetHead?: boolean;
  seed?: number;
  json?: boolean;
}

async function execute(given: string, flags: ImportFlags): Promise<void> {
  const { weightsAt } = await import('../../networks/run-weights.ts');
  const { file: path, note } = weightsAt(given);
  if (note) say(note);
  const { importWeights } = await import('../../networks/import-weights.ts');
  const imported = await importWeights(path, flags);
  for (const note of imported.notes) say(note);
  const { model, classes, parameters, file, data, recognized, fileClasses, resetHead } = imported;
  if (recognized) say(`recognised ${model} with ${fileClasses} classes by the names and shapes of its weights`);
  result(flags.json, imported, () =>
    [
      `${file}: ${model} for the ${classes} classes of ${data}, ${parameters.toLocaleString('en-US')} parameters`,
      resetHead
        ? `its classifier is drawn anew; train it with: ${commandLine('train', '--data', data, '--model', model, '--init', file)}`
        : `check it with: ${commandLine('eval', file, ...(flags.dataDir ? ['--data-dir', flags.dataDir] : []))}`,
    ].join('\n'),
  );
}

export function registerImport(program: Command): void {
  program
    .command('import')
    .description('Bring in weights from PyTorch (.pth) or safetensors, as a checkpoint that says what it is')
    .argument('<file>', 'a .pth, .pt or .safetensors file, or a run folder')
    .requiredOption('--data <name>', 'the dataset it classifies: its classes, image size and normalisation')
    .option('--data-dir <folder>', 'the folder that holds it, for the command to check it with')
    .requiredOption('--out <file>', 'the checkpoint to write (.safetensors)')
    .option('--model <name>', 'the architecture, or a file that exports the network (default: recognised)')
    .option('--key <name>', 'which of several networks in the file: a key of a .pth, or what its names begin with')
    .option(
      '--normalization <name>',
      "how its images were normalised: imagenet, half, unit, pixels, or 'mean=0.5,0.5,0.5;std=0.2,0.2,0.2' (default: as the dataset's)",
    )
    .option('--reset-head', 'load all but the last linear layer, which is drawn; for weights of other classes')
    .option('--seed <n>', 'the new classifier follows from it (default: 0)', integer)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  thrive import resnet56.pth --data cifar100 --out teacher.safetensors
  thrive import resnet18-imagenet.pth --data cifar10 --reset-head --out start.safetensors`,
    )
    .action(execute);
}
