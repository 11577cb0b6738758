/** @file `thrive eval`: top-1, top-5 and loss of a checkpoint. */
import type { Command } from 'commander';
import { UserError } from '../../base/errors.ts';
import { addDataFlags, addEngineFlags, type DataFlags, type EngineFlags } from '../flags.ts';
import { result, say, table } from '../output.ts';

interface EvalFlags extends DataFlags, EngineFlags {
  model?: string;
  key?: string;
  split: string;
}

async function execute(path: string, flags: EvalFlags): Promise<void> {
  const { evaluateCheckpoint } = await import('../../networks/evaluate-checkpoint.ts');
  const { evaluationProgress } = await import('../progress.ts');
  const { split, precision = 'fp32' } = flags;
  if (split !== 'test' && split !== 'train') throw new UserError(`--split must be test or train, not '${split}'`);
  if (precision !== 'fp32' && precision !== 'bf16')
    throw new UserError(`--precision must be fp32 or bf16, not '${precision}'`);
  const bar = evaluationProgress(path);
  const measured = await evaluateCheckpoint(path, {
    ...flags,
    split,
    precision,
    onProgress: bar.update,
    onNote: say,
  }).finally(bar.end);
  result(flags.json, measured, () =>
    table(
      ['network', 'data', 'images', 'top-1 %', 'top-5 %', 'loss', 'images/s'],
      [
        [
          measured.model,
          `${measured.data} ${split}`,
          measured.count,
          measured.top1.toFixed(2),
          measured.top5.toFixed(2),
          measured.loss.toFixed(5),
          measured.imagesPerSecond.toFixed(0),
        ],
      ],
    ),
  );
}

export function registerEval(program: Command): void {
  const command = program
    .command('eval')
    .description('Measure a checkpoint: top-1, top-5, mean cross entropy')
    .argument('<checkpoint>', 'a .pth or .safetensors file')
    .option('--model <name>', 'the architecture (or a file that exports it), where the checkpoint does not say it')
    .option('--key <name>', 'which of several networks in the file: a key of a .pth, or what its names begin with')
    .option('--split <name>', 'test or train', 'test');
  addEngineFlags(addDataFlags(command))
    .addHelpText(
      'after',
      `
Examples:
  thrive eval runs/NAME/last.safetensors --data cifar100
  thrive eval resnet56.pth --model resnet56 --data cifar100 --json`,
    )
    .action(execute);
}
