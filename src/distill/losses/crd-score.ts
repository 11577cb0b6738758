/**
 * @file The noise-contrastive loss of embeddings against rows of a memory, and its gradient. Two ways to the same numbers:
 *
 * - all: score the whole memory by one matrix product [B, N] and pick. 2 B N D multiplications, the memory is read once
 * - rows: read the rows in question, B K D numbers a memory; at K = 16384 and B = 64 that is half a gigabyte
 *
 * The gradient with respect to the scores is (p / (p + c + eps) - [positive]) / (T B), so it is had with the value in one pass.
 */
import { cat, full, noGrad, operator, ops, Tensor, tidy, zeros } from '../../torch/index.ts';
import { native } from '../../torch/native.ts';
import { withGradient } from './functions.ts';

/** Beside the noise's density, after the authors. */
const EPS = 1e-7;

/** With more memory rows than this to one negative, reading rows is cheaper than scoring all (measured on an AVX2 core). */
const ROWS_FROM = 24;

export interface NceOptions {
  temperature: number;
  /** The constant Z, or 0 to take it from these scores: their mean exp(score / T), times the number of samples. */
  z: number;
  /** Default: the cheaper one. */
  way?: 'all' | 'rows';
  /** Default: native where it can (float32 on the CPU). For tests. */
  kernel?: 'native' | 'operators';
}

export interface NceResult {
  /** Scalar with gradient into the embeddings. */
  loss: Tensor;
  /** As given, or found. */
  z: number;
}

interface Found {
  loss: Tensor;
  gradient: Tensor;
  z: number;
}

/** From picked scores [B, 1 + K]: the loss, and its gradient with respect to them. */
function nce(scores: Tensor, samples: number, { temperature, z }: NceOptions): Found {
  const [batch, width] = [scores.size(0), scores.size(1)];
  const c = (width - 1) / samples;
  const exps = scores.div(temperature).exp();
  const constant = z || exps.mean().item() * samples;
  const p = exps.div(constant);
  const positive = ops.log1p(ops.reciprocal(p.narrow(1, 0, 1)).mul(c + EPS)).sum();
  const negative = ops
    .log1p(
      p
        .narrow(1, 1, width - 1)
        .add(EPS)
        .div(c),
    )
    .sum();
  const gradient = p.div(p.add(c + EPS)).div(temperature * batch);
  gradient.narrow(1, 0, 1).add_(-1 / (temperature * batch));
  return { loss: positive.add(negative).div(batch), gradient, z: constant };
}

type ScatterAdd = (self: Tensor, dim: number, index: Tensor, source: Tensor) => Tensor;
let scatterAdd: ScatterAdd | undefined;

function allByOperators(v: Tensor, memory: Tensor, index: Tensor, options: NceOptions): Found {
  scatterAdd ??= operator('aten::scatter_add') as unknown as ScatterAdd;
  const at = index.to({ dtype: 'int64', device: v.device });
  const scores = v.matmul(memory.t());
  const found = nce(scores.gather(1, at), memory.size(0), options);
  const dense = scatterAdd(zeros(scores.shape, { dtype: v.dtype, device: v.device }), 1, at, found.gradient);
  return { ...found, gradient: dense.matmul(memory) };
}

function rowsByOperators(v: Tensor, memory: Tensor, index: Tensor, options: NceOptions): Found {
  const at = index.to({ dtype: 'int64', device: v.device });
  const [batch, width] = [at.size(0), at.size(1)];
  // One sample at a time: all rows at once would take B K D numbers.
  const rowsOf = (b: number): Tensor => memory.indexSelect(0, at.select(0, b));
  const scores = cat(
    Array.from({ length: batch }, (_, b) => tidy(() => rowsOf(b).matmul(v.select(0, b)).view([1, width]))),
    0,
  );
  const found = nce(scores, memory.size(0), options);
  const gradient = cat(
    Array.from({ length: batch }, (_, b) => tidy(() => found.gradient.narrow(0, b, 1).matmul(rowsOf(b)))),
    0,
  );
  return { ...found, gradient };
}

const natively =
  (name: 'contrastAll' | 'contrastRows') =>
  (v: Tensor, memory: Tensor, index: Tensor, { temperature, z }: NceOptions): Found => {
    const c = (index.size(1) - 1) / memory.size(0);
    const [handle, rows, ids] = [v.contiguous().handle, memory.handle, index.handle];
    const [loss, constant, gradient] = native()[name](handle, rows, ids, temperature, z, c, EPS);
    return { loss: full([], loss), gradient: Tensor.wrap(gradient), z: constant };
  };

const ways = {
  native: { all: natively('contrastAll'), rows: natively('contrastRows') },
  operators: { all: allByOperators, rows: rowsByOperators },
};

/**
 * The noise-contrastive loss of embeddings v [B, D] against the rows `index` [B, 1 + K] (int32, the positive first) of a memory
 * [N, D]: -1/B sum of log(p / (p + c + eps)) for the positives and log(c / (p + c + eps)) for the negatives, p = exp(v m / T) / Z,
 * c = K / N.
 */
export function contrastLoss(v: Tensor, memory: Tensor, index: Tensor, options: NceOptions): NceResult {
  const plain = v.dtype === 'float32' && memory.dtype === 'float32' && v.device === 'cpu';
  const { kernel = plain ? 'native' : 'operators' } = options;
  const { way = memory.size(0) > ROWS_FROM * index.size(1) ? 'rows' : 'all' } = options;
  return tidy(() => {
    const { loss, gradient, z } = noGrad(() => ways[kernel][way](v.detach(), memory, index, options));
    return { loss: withGradient(loss, [[v, gradient]]), z };
  });
}
