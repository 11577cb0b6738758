/** @file `thrive predict`: images classified. */
import type { Command } from 'commander';
import { UserError } from '../../base/errors.ts';
import { positiveInteger } from '../flags.ts';
import { result, say, table } from '../output.ts';

interface PredictFlags {
  checkpoint: string;
  model?: string;
  data?: string;
  top: number;
  threads?: number;
  json?: boolean;
}

async function execute(files: string[], flags: PredictFlags): Promise<void> {
  const { weightsAt } = await import('../../networks/run-weights.ts');
  const { predict } = await import('../../networks/predict.ts');
  const { file, note } = weightsAt(flags.checkpoint);
  if (note) say(note);
  if (files.length === 0) throw new UserError('no image is named');
  const { data, model, top, threads } = flags;
  const predicted = await predict(file, files, { data, model, top, threads, onNote: say });
  result(flags.json, predicted, () =>
    table(
      ['image', 'class', 'probability'],
      predicted.images.flatMap(({ file: image, classes }) =>
        classes.map(({ name, probability }, i) => [i === 0 ? image : '', name, `${(100 * probability).toFixed(2)} %`]),
      ),
    ),
  );
}

export function registerPredict(program: Command): void {
  program
    .command('predict')
    .description('Classify images: the most probable classes, with their probabilities')
    .argument('<images...>', 'image files: JPEG, PNG, WebP, GIF, AVIF, TIFF')
    .requiredOption(
      '--checkpoint <file>',
      'the network: a run folder, a checkpoint (.safetensors, .pth) or an exported .onnx',
    )
    .option('--model <name>', 'the architecture, where the checkpoint does not say it')
    .option('--data <name>', 'the dataset it was trained on, where the file does not say it')
    .option('--top <n>', 'classes told of each image', positiveInteger, 5)
    .option('--threads <n>', 'threads of the engine (default: all processors)', positiveInteger)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  thrive predict cat.jpg --checkpoint runs/NAME
  thrive predict *.png --checkpoint student.onnx --json`,
    )
    .action(execute);
}
