/** @file `thrive bench`: images/s of a training step, and its ratio to PyTorch in the same sitting; images/s of each network; each loss. */
import type { Command } from 'commander';
import { names, number, positiveInteger } from '../flags.ts';

export function registerBench(program: Command): void {
  const bench = program.command('bench').description('Measure speed on this machine');
  bench
    .command('step')
    .description('One distillation step (teacher forward, student forward, backward, update) on generated batches')
    .option('--teacher <name>', 'architecture of the teacher', 'resnet56')
    .option('--student <name>', 'architecture of the student', 'resnet20')
    .option('--batch-size <n>', 'images a step', positiveInteger, 64)
    .option('--steps <n>', 'timed steps a round', positiveInteger, 10)
    .option('--warmup <n>', 'steps before timing', positiveInteger, 3)
    .option('--rounds <n>', 'rounds, alternating with the script of --against', positiveInteger, 3)
    .option('--threads <n>', 'threads (default: all processors)', positiveInteger)
    .option('--device <name>', 'cpu or cuda', 'cpu')
    .option('--precision <names...>', 'fp32, bf16', ['fp32', 'bf16'])
    .option('--method <names>', 'losses joined by +: kd, crd+kd; see docs/losses.md', 'kd')
    .option(
      '--augment <list>',
      'second views between commas: none, cutmix, cutmix+pick:kl, … as in thrive score',
      names,
      ['none'],
    )
    .option(
      '--against <script>',
      "a Python script that times PyTorch's step and prints JSON lines (recipe, work, ms_per_step)",
    )
    .option('--python <command>', 'the Python to run it with', 'python3')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nExamples:\n  thrive bench step\n  thrive bench step --method crd+kd --precision fp32\n  thrive bench step --augment none,cutmix,cutmix+pick:kl\n  npm run bench -- step --against torch_reference.py --python /usr/bin/python3',
    )
    .action(async (flags: import('../bench/step.ts').BenchFlags) => {
      const { benchStep } = await import('../bench/step.ts');
      await benchStep(flags);
    });
  bench
    .command('models')
    .description('Forward, and forward and backward, of each architecture, or of your own network')
    .option('--models <names>', 'architectures, or files that export a network, between commas (default: all)', names)
    .option('--precision <names>', 'fp32, bf16 or both between commas', names, ['fp32'])
    .option('--batch-size <n>', 'images a batch', positiveInteger, 64)
    .option('--image-size <pixels>', 'height and width of the images', positiveInteger, 32)
    .option('--classes <n>', 'classes', positiveInteger, 100)
    .option('--seconds <s>', 'repeat each pass for so long, and take the median', number, 2)
    .option('--max-seconds <s>', 'give up on a network after so long in one precision', number, 60)
    .option('--threads <n>', 'threads (default: all processors)', positiveInteger)
    .option('--device <name>', 'cpu or cuda', 'cpu')
    .option('--markdown', 'print the table for a page')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nExamples:\n  thrive bench models\n  thrive bench models --models resnet20,./my-net.ts --precision fp32,bf16 --batch-size 32',
    )
    .action(async (flags: import('../bench/models.ts').BenchModelsFlags) => {
      const { benchModels } = await import('../bench/models.ts');
      await benchModels(flags);
    });
  bench
    .command('decode')
    .description('Images a second that one thread decodes and crops to 224 x 224, for training and for testing')
    .argument('<folder>', 'images, in folders or not')
    .option('--seconds <s>', 'measure each view for so long a round', number, 3)
    .option('--rounds <n>', 'rounds, alternating with the script of --against', positiveInteger, 3)
    .option('--against <script>', "a Python script that times Pillow's and torchvision's: bench/decode_reference.py")
    .option('--python <command>', 'the Python to run it with', 'python3')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  thrive bench decode ./photos --against bench/decode_reference.py')
    .action(async (folder: string, flags: import('../bench/decode.ts').BenchDecodeFlags) => {
      const { benchDecode } = await import('../bench/decode.ts');
      await benchDecode(folder, flags);
    });
  bench
    .command('methods')
    .description('A step of each distillation loss, in turn with one of kd, and its time as a multiple of that')
    .option('--methods <names>', 'between commas, joined by + where they act together (default: each alone)', names)
    .option('--teacher <name>', 'architecture of the teacher', 'resnet56')
    .option('--student <name>', 'architecture of the student', 'resnet20')
    .option('--batch-size <n>', 'images a step', positiveInteger, 64)
    .option('--samples <n>', 'images of the training set, which some losses remember', positiveInteger, 50_000)
    .option('--steps <n>', 'timed steps of each', positiveInteger, 7)
    .option('--warmup <n>', 'steps before timing', positiveInteger, 2)
    .option('--threads <n>', 'threads (default: all processors)', positiveInteger)
    .option('--device <name>', 'cpu or cuda', 'cpu')
    .option('--precision <name>', 'fp32 or bf16', 'fp32')
    .option('--markdown', 'print the table for a page')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExamples:\n  thrive bench methods\n  thrive bench methods --methods crd,crd+kd --steps 20')
    .action(async (flags: import('../bench/methods.ts').BenchMethodsFlags) => {
      const { benchMethods } = await import('../bench/methods.ts');
      await benchMethods(flags);
    });
}
