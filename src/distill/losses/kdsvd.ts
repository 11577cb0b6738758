/**
 * @file KD-SVD: Lee, Kim, Song, "Self-supervised Knowledge Distillation Using Singular Value Decomposition", ECCV 2018.
 *
 *     1 / B sum over consecutive stages, samples, entries of (exp(-(a_s - b_s)^2 / 8) - exp(-(a_t - b_t)^2 / 8))^2
 *
 * a and b: all pairs of entries of two stages' right singular vectors (k = 1 of each, [C], of the map as [H W, C]); of the student's
 * first k + 3 the one with the greatest cosine to the teacher's is taken, with its sign, and both are scaled by the teacher's
 * singular values, brought to length 1 over k. Taps: the stages, equal channels. Weight 1: RepDistiller has none, mdistiller 1.
 *
 * Two differences from RepDistiller. The sign of a singular vector is arbitrary, and its loss changes with the signs that LAPACK
 * happens to return for two stages: on the reference features by 3 %, its gradient by up to a half. Here every teacher's vector
 * points to where its entries sum above 0 (for maps after a ReLU all entries of the first have one sign, which LAPACK returns alike
 * but for maps of a few numbers, so that there the two agree); `signs: 'lapack'` is RepDistiller's loss. And the gradient
 * of a whole decomposition is not a number where two singular values are equal, as in a map of zeros; here only the vectors in
 * use are differentiated, from the eigenvectors of C x C Gram matrices in float64, and a pair of equal values adds nothing.
 */
import { UserError } from '../../base/errors.ts';
import { count, oneOf } from '../../base/options.ts';
import { noGrad, operator, ops, type Tensor, tidy, where, zeros } from '../../torch/index.ts';
import { unit } from './functions.ts';
import { defineLoss, type LossContext } from './loss.ts';
import { describeTap, flatMaps, readPair, requireEqualChannels, stagePairs, type TapPair } from './taps.ts';

/** Eigenvalues closer than this share of the greatest count as equal. */
const EQUAL = 1e-9;

/** How many more vectors of the student are looked at than of the teacher. */
const SPARE = 3;

/** What an RBF's exponent is divided by. */
const WIDTH = 8;

export interface Decomposition {
  /** All right singular vectors, greatest value first: [B, C, r], r = min(C, H W). Those of values 0 may be 0. */
  vectors: Tensor;
  /** Squared singular values [B, r]. */
  squares: Tensor;
}

let eigh: ((matrix: Tensor) => [Tensor, Tensor]) | undefined;

/** Eigenvalues and vectors of symmetric matrices, greatest first. */
function eigen(matrix: Tensor): { values: Tensor; vectors: Tensor } {
  eigh ??= operator('aten::linalg_eigh') as unknown as typeof eigh;
  const [values, vectors] = eigh!(matrix);
  return { values: values.flip([1]).clamp(0), vectors: vectors.flip([2]) };
}

/** The singular value decomposition of maps [B, C, n], without its left vectors and without gradient, in float64. */
export function decompose(maps: Tensor): Decomposition {
  return noGrad(() =>
    tidy(() => {
      const x = maps.detach().to('float64');
      // Of the two Gram matrices the smaller: their eigenvalues are the same but for zeros.
      if (x.size(1) <= x.size(2)) {
        const { values, vectors } = eigen(ops.bmm(x, x.transpose(1, 2)));
        return { vectors, squares: values };
      }
      const { values, vectors } = eigen(ops.bmm(x.transpose(1, 2), x));
      const rest = values.le(values.narrow(1, 0, 1).mul(EQUAL));
      const length = values.sqrt().maskedFill(rest, Number.POSITIVE_INFINITY).unsqueeze(1);
      return { vectors: ops.bmm(x, vectors).div(length), squares: values };
    }),
  );
}

/**
 * The first `count` vectors [B, C, count] of maps [B, C, n] with their gradient, by first-order perturbation of the eigenvectors
 * of G = x x^T: dv_j = sum over i != j of v_i (v_i^T dG v_j) / (l_j - l_i), and (dG v_j) / l_j outside the span of the v_i.
 */
function withTheirGradient(maps: Tensor, { vectors, squares }: Decomposition, count: number): Tensor {
  const dtype = maps.dtype;
  const { all, own, factors, outside } = noGrad(() => {
    const top = squares.narrow(1, 0, count).unsqueeze(1);
    const gaps = top.sub(squares.unsqueeze(2));
    const least = squares.narrow(1, 0, 1).unsqueeze(2).mul(EQUAL);
    const inverse = (x: Tensor): Tensor =>
      where(x.abs().le(least), zeros([], { dtype: 'float64', device: x.device }), ops.reciprocal(x)).to(dtype);
    return {
      all: vectors.to(dtype),
      own: vectors.narrow(2, 0, count).to(dtype),
      factors: inverse(gaps),
      outside: inverse(top),
    };
  });
  const product = ops.bmm(maps, ops.bmm(maps.transpose(1, 2), own));
  const change = product.sub(product.detach());
  const inside = ops.bmm(all.transpose(1, 2), change);
  const result = own.add(ops.bmm(all, inside.mul(factors)));
  if (maps.size(1) <= maps.size(2)) return result;
  return result.add(change.sub(ops.bmm(all, inside)).mul(outside));
}

/** The decomposition by libtorch itself, in the maps' dtype, with the signs that LAPACK happens to return. */
export function decomposeAsLapack(maps: Tensor): Decomposition {
  return noGrad(() =>
    tidy(() => {
      const [, values, right] = ops.svd(maps.detach().transpose(1, 2), false);
      return { vectors: right.transpose(1, 2).to('float64'), squares: values.to('float64').square() };
    }),
  );
}

/** Turn each vector [B, C, k] so that its entries sum to 0 or more: a sign that does not depend on who computed it. */
function orient(vectors: Tensor): Tensor {
  return vectors.mul(vectors.sum(1, true).ge(0).to(vectors.dtype).mul(2).sub(1));
}

const conventions = ['fixed', 'lapack'] as const;

export interface StageOptions {
  k: number;
  signs: (typeof conventions)[number];
  /** For tests. */
  decomposer?: (maps: Tensor) => Decomposition;
}

/** The vectors of one stage, scaled by the teacher's singular values: [B, C, k] each. */
export function stageVectors(
  s: Tensor,
  t: Tensor,
  { k, signs, decomposer = signs === 'fixed' ? decompose : decomposeAsLapack }: StageOptions,
): { s: Tensor; t: Tensor } {
  return tidy(() => {
    const student = flatMaps(s);
    const teacher = decomposer(flatMaps(t));
    // A small map has few vectors: each network is short of its own only.
    const take = Math.min(k, teacher.squares.size(1));
    const found = decomposer(student);
    const own = withTheirGradient(student, found, Math.min(k + SPARE, found.squares.size(1)));
    const { target, choice, scale } = noGrad(() => {
      const first = teacher.vectors.narrow(2, 0, take);
      const target = (signs === 'fixed' ? orient(first) : first).to(s.dtype);
      const cosine = ops.bmm(own.detach().transpose(1, 2), target);
      const nearest = cosine.abs().amax([1], true).eq(cosine.abs()).to(s.dtype);
      const scale = unit(teacher.squares.narrow(1, 0, take).sqrt(), 1)
        .unsqueeze(1)
        .to(s.dtype);
      return { target: target.mul(scale), choice: ops.sign(cosine).mul(nearest), scale };
    });
    return { s: ops.bmm(own, choice).mul(scale), t: target };
  });
}

/** exp(-(a_i - b_j)^2 / 8) of all pairs of entries: [B, C, D, k]. */
const rbf = (a: Tensor, b: Tensor): Tensor => a.unsqueeze(2).sub(b.unsqueeze(1)).square().div(-WIDTH).exp();

/** One term for each pair of consecutive stages. */
export function singularTerms(stages: readonly { s: Tensor; t: Tensor }[], options: StageOptions): Tensor[] {
  return tidy(() => {
    const vectors = stages.map(({ s, t }) => stageVectors(s, t, options));
    return vectors.slice(1).map((top, i) => {
      const bottom = vectors[i]!;
      const difference = rbf(top.s, bottom.s).sub(rbf(top.t, bottom.t));
      return difference.square().sum().div(top.s.size(0));
    });
  });
}

/** Refuses a k of which one of two consecutive stages of the teacher is short, unless it has a single vector for all of the other's. */
function requireComparable({ teacher }: LossContext, pairs: readonly TapPair[], k: number): void {
  const counts = pairs.map((pair) => {
    const [channels = 0, height = 0, width = 0] = teacher.taps[pair.teacher]!;
    return Math.min(k, channels, height * width);
  });
  const wrong = counts.findIndex((count, i) => i > 0 && count !== counts[i - 1] && count > 1 && counts[i - 1]! > 1);
  if (wrong < 0) return;
  const short = counts[wrong]! < counts[wrong - 1]! ? wrong : wrong - 1;
  const stage = describeTap('teacher', teacher, pairs[short]!.teacher);
  throw new UserError(`kdsvd cannot take ${k} singular vectors of each stage: ${stage} has ${counts[short]}`, {
    hint: `give k ${Math.min(...counts)} or less`,
  });
}

export const kdsvd = defineLoss({
  name: 'kdsvd',
  aliases: ['svd'],
  paper:
    'Lee, Kim, Song: Self-supervised Knowledge Distillation Using Singular Value Decomposition (ECCV 2018, arXiv:1807.06819)',
  year: 2018,
  equation: '1/B Σ (rbf(v_s) − rbf(v_t))², v: first singular vectors of consecutive stages',
  taps: 'stages, equal channels',
  weight: 1,
  gamma: 1,
  options: {
    k: count(1, 'singular vectors of each stage'),
    signs: oneOf(
      conventions,
      'fixed',
      'of the singular vectors: fixed by a rule, or as LAPACK returns them (RepDistiller)',
    ),
  },
  create(context, options) {
    const pairs = stagePairs('kdsvd', context);
    requireEqualChannels('kdsvd', context, pairs);
    requireComparable(context, pairs, options.k);
    return {
      needs: { student: 'taps', teacher: 'taps' },
      terms(input) {
        const terms = singularTerms(
          pairs.map((pair) => readPair(input, pair)),
          options,
        );
        return Object.fromEntries(terms.map((term, i) => [`${pairs[i]!.name}-${pairs[i + 1]!.name}`, term]));
      },
    };
  },
});
