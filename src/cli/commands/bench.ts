/** @file `thrive bench`: images/s of a training step, and its ratio to PyTorch on the same machine in the same sitting. */
import type { Command } from 'commander';
import { positiveInteger } from '../flags.ts';

export function registerBench(program: Command): void {
  const bench = program.command('bench').description('Measure speed on this machine');
  bench
    .command('step')
    .description('One distillation step (teacher forward, student forward, backward, update) on generated batches')
    .option('--teacher <name>', 'architecture of the teacher', 'resnet56')
    .option('--student <name>', 'architecture of the student', 'resnet20')
    .option('--batch-size <n>', 'pictures a step', positiveInteger, 64)
    .option('--steps <n>', 'timed steps a round', positiveInteger, 10)
    .option('--warmup <n>', 'steps before timing', positiveInteger, 3)
    .option('--rounds <n>', 'rounds, alternating with the script of --against', positiveInteger, 3)
    .option('--threads <n>', 'threads (default: all processors)', positiveInteger)
    .option('--device <name>', 'cpu or cuda', 'cpu')
    .option('--precision <names...>', 'fp32, bf16', ['fp32', 'bf16'])
    .option(
      '--against <script>',
      "a Python script that times PyTorch's step and prints JSON lines (recipe, work, ms_per_step)",
    )
    .option('--python <command>', 'the Python to run it with', 'python3')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nExamples:\n  thrive bench step\n  npm run bench -- step --against torch_reference.py --python /usr/bin/python3',
    )
    .action(async (flags: import('../bench-step.ts').BenchFlags) => {
      const { benchStep } = await import('../bench-step.ts');
      await benchStep(flags);
    });
}
