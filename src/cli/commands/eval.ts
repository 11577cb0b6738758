/** @file `thrive eval`: top-1, top-5 and loss of a checkpoint. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { UserError } from '../../base/errors.ts';
import type { ConfigInput } from '../../config/config.ts';
import type { CheckpointScore, EvaluateCheckpointOptions } from '../../networks/evaluate-checkpoint.ts';
import { jsonHelp } from '../flags.ts';
import { result, say, table } from '../output.ts';
import { checkOutputFile } from '../output-file.ts';
import { addSettings, checkedSettings } from '../setting-flags.ts';

interface EvalFlags
  extends Pick<
    ConfigInput,
    'data' | 'dataDir' | 'limitTest' | 'model' | 'batchSize' | 'device' | 'threads' | 'precision'
  > {
  json?: boolean;
  key?: string;
  normalization?: string;
  split: string;
  save?: boolean;
  teacher?: string;
  teacherModel?: string;
  perClass?: boolean;
  confusion?: string;
}

/** The teacher that a run had, where it was one network that is still there. */
async function teacherOf(folder: string): Promise<{ checkpoint: string; model?: string } | undefined> {
  const { RunFolder } = await import('../../run/run-folder.ts');
  const { teachersOf } = await import('../../config/derive.ts');
  const [teacher, ...others] = teachersOf(RunFolder.open(folder).record.config);
  if (!teacher || others.length > 0) return undefined;
  const { checkpoint, model } = teacher;
  if (!existsSync(checkpoint) || /\.onnx$/i.test(checkpoint)) {
    say(`note: the run's teacher is not looked at: ${checkpoint} is ${existsSync(checkpoint) ? 'an .onnx' : 'gone'}`);
    return undefined;
  }
  return { checkpoint, ...(model ? { model } : {}) };
}

/** Measure, and keep in the run folder where the network errs. */
async function withErrors(
  path: string,
  options: EvaluateCheckpointOptions,
  flags: EvalFlags,
): Promise<CheckpointScore> {
  const { RunFolder } = await import('../../run/run-folder.ts');
  const { reportErrors } = await import('../../networks/error-report.ts');
  const { writeFileAtomic } = await import('../../base/files.ts');
  const folder = dirname(path);
  if (!RunFolder.isAt(folder)) {
    throw new UserError(`--save keeps what is found in the run's folder, and ${path} is in none`, {
      hint: 'give a checkpoint inside a run: runs/NAME/last.safetensors',
    });
  }
  const model = flags.teacherModel ? { model: flags.teacherModel } : {};
  const teacher = flags.teacher ? { checkpoint: flags.teacher, ...model } : await teacherOf(folder);
  const { score, report } = await reportErrors(path, { ...options, teacher });
  const file = join(folder, 'errors.json');
  writeFileAtomic(file, `${JSON.stringify(report)}\n`);
  say(`errors written to ${file}`);
  return score;
}

async function execute(given: string, flags: EvalFlags): Promise<void> {
  const { weightsAt } = await import('../../networks/run-weights.ts');
  const { file: path, note } = weightsAt(given);
  if (note) say(note);
  const { evaluateCheckpoint } = await import('../../networks/evaluate-checkpoint.ts');
  const { evaluationProgress } = await import('../progress.ts');
  const { precision = 'fp32', ...settings } = checkedSettings({ ...flags }) as EvaluateCheckpointOptions & {
    teacher?: unknown;
    teacherModel?: unknown;
  };
  const { split } = flags;
  if (split !== 'test' && split !== 'train') throw new UserError(`--split must be test or train, not '${split}'`);
  if (precision !== 'fp32' && precision !== 'bf16')
    throw new UserError(`--precision must be fp32 or bf16, not '${precision}'`);
  checkOutputFile('--confusion', flags.confusion, 'confusion.svg');
  const { Confusion } = await import('../../train/confusion.ts');
  let confusion: InstanceType<typeof Confusion> | undefined;
  const bar = evaluationProgress(path);
  if ((flags.teacher || flags.teacherModel) && !flags.save) {
    throw new UserError('--teacher is whom --save compares with', { hint: 'give --save too' });
  }
  if (flags.save && (flags.perClass || flags.confusion)) {
    throw new UserError(
      '--save keeps where the network errs for the dashboard; --per-class and --confusion tell it here',
      {
        hint: 'measure twice, once with each',
      },
    );
  }
  const counted =
    flags.perClass || flags.confusion
      ? {
          onLogits: (_first: number, logits: Float32Array, labels: Int32Array) => {
            confusion ??= new Confusion(logits.length / labels.length);
            confusion.add(logits, labels);
          },
        }
      : {};
  const { teacher: _, teacherModel: __, ...rest } = settings;
  const options = {
    ...rest,
    ...(flags.key === undefined ? {} : { key: flags.key }),
    ...(flags.normalization === undefined ? {} : { normalization: flags.normalization }),
    ...counted,
    split,
    precision,
    onProgress: bar.update,
    onNote: say,
  } as const;
  const measured = await (flags.save ? withErrors(path, options, flags) : evaluateCheckpoint(path, options)).finally(
    bar.end,
  );
  const { datasetInfo } = await import('../../data/index.ts');
  const names = confusion ? datasetInfo(measured.data).classNames : [];
  const name = (index: number): string => names[index] ?? String(index);
  const perClass = confusion?.perClass().map((own, index) => ({ class: name(index), ...own }));
  const confused = confusion
    ?.pairs(10)
    .map(({ label, chosen, ...pair }) => ({ label: name(label), chosen: name(chosen), ...pair }));
  if (flags.confusion !== undefined && confusion) {
    const { heatmapSvg } = await import('../../plot/svg-heatmap.ts');
    const { writeFileAtomic } = await import('../../base/files.ts');
    const title = `${measured.model} on ${measured.data} ${split}: top-1 ${measured.top1.toFixed(2)} %`;
    const { counts } = confusion;
    writeFileAtomic(
      flags.confusion,
      heatmapSvg({ title, names, counts, rowTitle: 'label', columnTitle: 'what the network says' }),
    );
    say(`confusion matrix written to ${flags.confusion}`);
  }
  const object = { ...measured, ...(flags.perClass ? { perClass, confused } : {}) };
  result(flags.json, object, () => {
    const blocks = [
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
    ];
    if (flags.perClass && perClass && confused) {
      const sorted = perClass
        .filter(({ count }) => count > 0)
        .sort((a, b) => b.top1 - a.top1)
        .map((own) => [own.class, own.count, own.top1.toFixed(2)]);
      blocks.push(table(['class', 'images', 'top-1 %'], sorted));
      if (confused.length > 0) {
        const pairs = confused.map(({ label, chosen, count, share }) => [
          label,
          chosen,
          count,
          `${(100 * share).toFixed(1)} %`,
        ]);
        blocks.push(table(['most confused', 'taken for', 'images', 'of the class'], pairs));
      }
    }
    return blocks.join('\n\n');
  });
}

export function registerEval(program: Command): void {
  const command = program
    .command('eval')
    .description('Measure a checkpoint: top-1, top-5, mean cross entropy')
    .argument('<checkpoint>', 'a .pth or .safetensors file, or a run folder')
    .option('--key <name>', 'which of several networks in the file: a key of a .pth, or what its names begin with')
    .option(
      '--normalization <name>',
      "how its images are normalised, where the file does not say it: imagenet, half, unit, pixels, or 'mean=0.5,0.5,0.5;std=0.2,0.2,0.2' (default: as the dataset's)",
    )
    .option('--split <name>', 'test or train', 'test')
    .option('--save', "keep in the run's folder where the network errs (errors.json), for the dashboard")
    .option('--teacher <file>', "with --save: whom it is compared with (default: the run's own teacher)")
    .option('--teacher-model <name>', 'its architecture, where its file does not say it')
    .option('--per-class', 'also the accuracy of each class, and which classes are taken for which')
    .option('--confusion <file>', 'draw who is taken for whom to this SVG file');
  addSettings(command, ['data', 'dataDir', 'limitTest', 'model', 'batchSize', 'device', 'precision', 'threads'], {
    more: {
      model: { help: 'the architecture (or a file that exports it), where the checkpoint does not say it' },
      batchSize: { help: 'images a batch', default: undefined },
    },
  })
    .option('--json', jsonHelp)
    .addHelpText(
      'after',
      `
Examples:
  thrive eval runs/NAME/last.safetensors --data cifar100
  thrive eval runs/NAME --per-class --confusion confusion.svg
  thrive eval resnet56.pth --model resnet56 --data cifar100 --json`,
    )
    .action(execute);
}
