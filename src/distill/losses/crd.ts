/**
 * @file CRD: Tian, Krishnan, Isola, "Contrastive Representation Distillation", ICLR 2020.
 *
 *     -1/B sum of log(P / (P + K/N)) + sum over K negatives of log((K/N) / (P_neg + K/N)),   P = exp(v m / T) / Z
 *
 * twice: the student's embeddings v against the teacher's memory m, and the teacher's against the student's. v: linear to 128
 * dimensions, length 1; both embeddings are trained. K = 16384 negatives of other classes a sample, T = 0.07, 1e-7 beside K/N, Z the
 * first batch's mean exp times N. After each step the batch's rows of both memories move halfway to v (momentum 0.5), length 1
 * again. `mode: 'exact'`: the positive is the sample itself; `'relax'`: any of its class. Taps: the pooled vector. Weight 0.8.
 *
 * As RepDistiller, where a run takes 2.6 times as long as KD: it draws the negatives with numpy for each image and gathers
 * K rows of two memories for each. Here both are native and the scores come from one matrix product (crd-score.ts). Draws
 * come from (seed, epoch, sample). A memory's row belongs to a sample, so this cannot act on mixed images x'.
 *
 * In eval mode (`loss.modules.eval()`) the memories stay as they are.
 */
import { UserError } from '../../base/errors.ts';
import { count, fraction, oneOf, positive } from '../../base/options.ts';
import { type Tensor, tensor } from '../../torch/index.ts';
import { classTable, contrastTensor, drawContrast } from './crd-draw.ts';
import { ContrastMemory } from './crd-memory.ts';
import { contrastLoss } from './crd-score.ts';
import { Embed } from './embed.ts';
import { defineLoss, type LossContext, type LossInput } from './loss.ts';
import { checkMemory } from './memory.ts';
import { makeModules } from './modules.ts';
import { pooled, readPair } from './taps.ts';

const FLOAT_BYTES = 4;

/** Bytes of both memories, and of the scores and indices of a step. */
export function contrastBytes(
  context: Pick<LossContext, 'samples' | 'batchSize'>,
  dim: number,
  negatives: number,
): number {
  const memories = 2 * context.samples * dim * FLOAT_BYTES;
  const step = context.batchSize * (Math.min(context.samples, 16 * negatives) + 2 * negatives) * FLOAT_BYTES;
  return memories + step;
}

function indexOf(input: LossInput, samples: number): Int32Array {
  const { index } = input;
  if (!index) throw new TypeError('crd was given no sample indices');
  const wrong = index.find((sample) => sample < 0 || sample >= samples);
  if (wrong !== undefined) throw new UserError(`crd: sample ${wrong} is outside the ${samples} of the memory`);
  return index;
}

export const crd = defineLoss({
  name: 'crd',
  aliases: ['contrast'],
  paper: 'Tian, Krishnan, Isola: Contrastive Representation Distillation (ICLR 2020, arXiv:1910.10699)',
  year: 2020,
  equation: '−1/B Σ log(P/(P+K/N)) + Σ_neg log((K/N)/(P+K/N)), P = exp(v·m/T)/Z, both ways',
  taps: 'pooled',
  weight: 0.8,
  gamma: 1,
  onlyOriginal: 'its memory has one row for each training image, and a mixed image has none',
  options: {
    negatives: count(16384, 'samples of other classes that each sample is compared with (nce_k)'),
    temperature: positive(0.07, 'divides the scores (nce_t)'),
    momentum: fraction(0.5, 'share of a memory’s row that stays at an update (nce_m)'),
    dim: count(128, 'dimensions of the embeddings (feat_dim)'),
    mode: oneOf(['exact', 'relax'], 'exact', 'the positive: the sample itself, or any of its class'),
  },
  check({ samples, batchSize, availableMemory }, { negatives, dim }) {
    checkMemory(
      `crd with ${samples} training samples needs`,
      contrastBytes({ samples, batchSize }, dim, negatives),
      `two memories of ${samples} rows of ${dim} numbers, and a step's scores; a smaller dim or batch, or fewer negatives, need less`,
      availableMemory,
    );
  },
  create(context, { negatives, temperature, momentum, dim, mode }) {
    const pair = pooled('crd', context);
    const { samples, labels } = context;
    if (labels && labels.length !== samples) {
      throw new UserError(`crd was given the classes of ${labels.length} training samples out of ${samples}`);
    }
    const table = labels && classTable(labels, context.classes);
    const modules = makeModules('crd', context.seed, () => ({
      embed_s: new Embed(context.student.taps[pair.student]![0]!, dim, { normalize: true }),
      embed_t: new Embed(context.teacher.taps[pair.teacher]![0]!, dim, { normalize: true }),
      contrast: new ContrastMemory({ samples, dim, negatives, temperature, momentum }),
    }));
    const { embed_s, embed_t, contrast } = modules.entries;

    const comparedWith = (input: LossInput, index: Int32Array): Tensor => {
      if (input.contrast) return contrastTensor(input.contrast, index.length, samples);
      if (!table) throw new TypeError('crd draws samples of other classes and was given no labels of the training set');
      return drawContrast(index, table, { seed: input.seed, epoch: input.epoch, negatives, relaxed: mode === 'relax' });
    };

    return {
      modules,
      needs: { student: 'taps', teacher: 'taps', index: true },
      terms(input) {
        const index = indexOf(input, samples);
        const { s, t } = readPair(input, pair);
        const student = embed_s.forward(s);
        const teacher = embed_t.forward(t);
        const rows = comparedWith(input, index);
        const [zStudent, zTeacher] = contrast.z();
        const studentSide = contrastLoss(student, contrast.memory_v2, rows, { temperature, z: zStudent });
        const teacherSide = contrastLoss(teacher, contrast.memory_v1, rows, { temperature, z: zTeacher });
        if (contrast.training) {
          if (zStudent === 0 || zTeacher === 0) contrast.setZ(studentSide.z, teacherSide.z);
          contrast.update(tensor(index, { dtype: 'int64', device: s.device }), student, teacher);
        }
        return { student: studentSide.loss, teacher: teacherSide.loss };
      },
    };
  },
});
