/** @file Whole distillation steps against the reference's on real images: test/fixtures/golden/trace.json. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fillModule } from '../../test/filler.ts';
import { because, dataDir, goldenPath } from '../../test/shared.ts';
import { normalizeImages } from '../augment/index.ts';
import { toTensorSet } from '../data/batches.ts';
import { datasetInfo, type ImageSet, loadDataset, subset } from '../data/index.ts';
import { createModel } from '../models/index.ts';
import { SGD } from '../nn/index.ts';
import { noGrad, type Tensor, tensor, tidy } from '../torch/index.ts';
import { trainStep } from '../train/step.ts';
import { crossEntropy } from './kl.ts';
import { kdTerms } from './objective.ts';
import { Teacher } from './teacher.ts';

interface Trace {
  teacher: string;
  student: string;
  batch: number;
  lr: number;
  box_y0_y1_x0_x1: [number, number, number, number];
  partner: string;
  steps: { ce: number; kl_x: number; kl_mix: number; total: number }[];
  student_param_l2: number;
  eval_ce_first_64: number;
}

const dir = dataDir();
const info = datasetInfo('cifar100');
const normalization = { mean: info.mean, std: info.std };

/** x with the box taken from the partner `shift` places before, for every sample the same box. */
function mix(x: Tensor, [y0, y1, x0, x1]: Trace['box_y0_y1_x0_x1'], shift: number): Tensor {
  const batch = x.size(0);
  const partner = tensor(
    Int32Array.from({ length: batch }, (_, k) => (k - shift + batch) % batch),
    { dtype: 'int64' },
  );
  const out = x.clone();
  const box = (t: Tensor): Tensor => t.narrow(2, y0, y1 - y0).narrow(3, x0, x1 - x0);
  box(out).copy_(box(x.indexSelect(0, partner)));
  return out;
}

const train: ImageSet | null = dir ? await loadDataset('cifar100', { split: 'train', dir }) : null;

describe('whole steps equal the reference implementation', () => {
  const traces = dir ? (JSON.parse(readFileSync(goldenPath('trace.json'), 'utf8')) as Trace[]) : [];

  test.skipIf(!dir)(`trace.json is there${because(dir, 'CIFAR-100')}`, () => {
    expect(traces.length).toBeGreaterThan(0);
  });

  for (const channelsLast of [false, true]) {
    test.each(traces.map((trace) => [`${trace.teacher} to ${trace.student}`, trace] as const))(
      `%s, ${channelsLast ? 'channels last' : 'contiguous'}`,
      (_, trace) => {
        const layout = channelsLast ? { memoryFormat: 'channelsLast' as const } : {};
        const options = { classes: 100 };
        const student = fillModule(createModel(trace.student, options)).to(layout).train();
        const teacher = new Teacher(fillModule(createModel(trace.teacher, options)).to(layout), {
          normalization,
          inputNormalization: normalization,
          precision: 'fp32',
        });
        const optimizer = new SGD(student.namedParameters(), { lr: trace.lr, momentum: 0.9, weightDecay: 5e-4 });
        const shift = Number(/- (\d+)\)/.exec(trace.partner)?.[1]);
        const kd = { gamma: 0.1, alpha: 0.9, temperature: 4 };
        for (const [step, expected] of trace.steps.entries()) {
          const index = Int32Array.from({ length: trace.batch }, (_, i) => step * trace.batch + i);
          const set = toTensorSet(subset(train!, index));
          tidy(() => {
            const x = normalizeImages(set.images, normalization, channelsLast);
            const task = {
              step: (batch: { x: Tensor; labels: Tensor }, forward: (images: Tensor) => Tensor) => {
                const mixed = mix(batch.x, trace.box_y0_y1_x0_x1, shift);
                const logits = forward(batch.x);
                const view = { student: logits, teacher: teacher.logits(batch.x) };
                const strong = { student: forward(mixed), teacher: teacher.logits(mixed) };
                return { terms: kdTerms(view, batch.labels, kd, strong), logits };
              },
            };
            const batch = { x, images: set.images, labels: set.labels, index, epoch: 0, step };
            const got = trainStep(student, task, batch, optimizer, { lr: trace.lr, precision: 'fp32', device: 'cpu' });
            const { ce, kl_x, kl_mix, total } = expected;
            expect([got.terms.ce, got.terms.kl, got.terms.kl_strong, got.loss]).toBeAllclose(
              [ce, kl_x, kl_mix, total],
              {
                rtol: 1e-3,
              },
            );
          });
          set.dispose();
        }
        tidy(() => {
          const squares = student.parameters().map((p) => p.detach().square().sum().item());
          expect(Math.sqrt(squares.reduce((a, b) => a + b, 0))).toBeCloseTo(trace.student_param_l2, 3);
          const set = toTensorSet(
            subset(
              train!,
              Array.from({ length: 64 }, (_, i) => i),
            ),
          );
          const ce = noGrad(() =>
            crossEntropy(student.eval().forward(normalizeImages(set.images, normalization, channelsLast)), set.labels),
          );
          expect(ce.item() / trace.eval_ce_first_64).toBeCloseTo(1, 3);
          set.dispose();
        });
        optimizer.dispose();
        teacher.dispose();
        student.dispose();
      },
    );
  }
});
