/** @file Features to test distillation losses with: those of the reference values, and small ones for finite differences. */
import { readFileSync } from 'node:fs';
import {
  createLoss,
  type DistillLoss,
  type LossContext,
  type LossInput,
  type LossSettings,
  type PhaseName,
} from '../src/distill/losses/index.ts';
import type { Features } from '../src/models/index.ts';
import { buffer, type Module, parameter } from '../src/nn/index.ts';
import { type DType, grad, type Tensor, tensor, tidy } from '../src/torch/index.ts';
import { filler, fillerTensor, fillModule } from './filler.ts';
import { goldenPath } from './shared.ts';
import { gradcheck } from './torch.ts';

export type Pair = 'same' | 'cross';

/** Shapes of the reference features, without the batch of 8. */
export const referenceTaps = {
  student: [[16, 32, 32], [16, 32, 32], [32, 16, 16], [64, 8, 8], [64]],
  same: [[16, 32, 32], [16, 32, 32], [32, 16, 16], [64, 8, 8], [64]],
  cross: [[16, 32, 32], [32, 32, 32], [64, 16, 16], [128, 8, 8], [128]],
};

/** A file of reference values. */
export const golden = <T>(name: string): T => JSON.parse(readFileSync(goldenPath(name), 'utf8'));

export const labelsOf = (classes: number, batch: number): Tensor =>
  tensor(
    Int32Array.from({ length: batch }, (_, i) => [3, 14, 15, 92, 65, 35, 89, 79][i % 8]! % classes),
    { dtype: 'int64' },
  );

/** A context for networks with these taps. */
export function contextOf(student: number[][], teacher: number[][], more: Partial<LossContext> = {}): LossContext {
  return {
    student: { name: 'resnet20', taps: student },
    teacher: { name: 'resnet56', taps: teacher },
    classes: 100,
    samples: 200,
    batchSize: 8,
    seed: 0,
    ...more,
  };
}

/** The reference's inputs. The student's features and logits are leaves. */
export function referenceInput(pair: Pair, phase: PhaseName = 'train'): LossInput {
  const features = (who: 's' | 't', shapes: number[][], scale: number): Features => {
    const names = shapes.map((_, i) => (i === shapes.length - 1 ? `${who}.emb` : `${who}.${i}`));
    const logits = filler(`logit_${who}`, [8, 100]).map((value) => Math.fround(value * scale));
    return {
      logits: tensor(logits, { shape: [8, 100] }).requiresGrad_(who === 's'),
      taps: shapes.map((shape, i) => fillerTensor(names[i]!, [8, ...shape]).requiresGrad_(who === 's')),
    };
  };
  return {
    student: features('s', referenceTaps.student, 2),
    teacher: features('t', referenceTaps[pair], 3),
    labels: labelsOf(100, 8),
    epoch: 0,
    step: 0,
    seed: 0,
    phase,
  };
}

export interface Measured {
  loss: number;
  terms: Record<string, number>;
  /** Gradient norm with respect to each of the student's taps, null where none flows. */
  taps: (number | null)[];
  logits: number | null;
}

const sumOf = (terms: Record<string, Tensor>): Tensor => Object.values(terms).reduce((total, term) => total.add(term));
const normOf = (gradient: Tensor | null | undefined): number | null => gradient?.norm().item() ?? null;

/** Value, terms and gradient norms of a loss. */
export function measure(loss: DistillLoss, input: LossInput): Measured {
  return tidy(() => {
    const terms = loss.terms(input);
    const total = sumOf(terms);
    const gradients = grad([total], [...input.student.taps, input.student.logits], { allowUnused: true });
    return {
      loss: total.item(),
      terms: Object.fromEntries(Object.entries(terms).map(([name, term]) => [name, term.item()])),
      taps: gradients.slice(0, -1).map(normOf),
      logits: normOf(gradients.at(-1)),
    };
  });
}

/** A loss on the reference's inputs, its modules filled by their names. */
export function measureReference(
  name: string,
  pair: Pair = 'same',
  { phase = 'train', ...settings }: LossSettings & { phase?: PhaseName; fill?: (loss: DistillLoss) => void } = {},
): Measured {
  return tidy(() => {
    const loss = createLoss(name, contextOf(referenceTaps.student, referenceTaps[pair]), settings);
    try {
      fillModule(loss.modules);
      settings.fill?.(loss);
      return measure(loss, referenceInput(pair, phase));
    } finally {
      loss.dispose();
    }
  });
}

/** Greatest relative difference of numbers that must be close; NaN if any is not a number. */
export function worst(got: readonly (number | null)[], expected: readonly (number | null)[]): number {
  if (got.length !== expected.length) return Number.NaN;
  return Math.max(
    ...expected.map((value, i) => {
      const other = got[i]!;
      if (value === null || other === null) return value === other ? 0 : Number.NaN;
      return Math.abs(other - value) / Math.max(Math.abs(value), 1e-30);
    }),
  );
}

/** Turn a module's floating point state into float64, which `Module.to` leaves alone. */
export function toFloat64(root: Module): void {
  for (const [, module] of root.namedModules()) {
    for (const [key, value] of Object.entries(module) as [string, unknown][]) {
      if (!isFloat32(value)) continue;
      const next = tidy(() => value.detach().to('float64'));
      if (root.parameters().includes(value)) parameter(next).requiresGrad = value.requiresGrad;
      else buffer(next);
      Object.assign(module, { [key]: next });
      value.dispose();
    }
  }
}

const isFloat32 = (value: unknown): value is Tensor =>
  typeof value === 'object' && value !== null && 'handle' in value && (value as Tensor).dtype === 'float32';

/** Small taps for finite differences: a stem, two stages and a pooled vector. */
export const smallTaps = (channels: readonly [number, number, number], size = 4): number[][] => [
  [channels[0], size, size],
  [channels[1], size, size],
  [channels[2], size / 2, size / 2],
  [channels[2]],
];

/** Features of these shapes from the filler, in float64 unless said. */
export function fillerFeatures(
  who: string,
  taps: readonly (readonly number[])[],
  { batch = 3, classes = 5, dtype = 'float64' }: { batch?: number; classes?: number; dtype?: DType } = {},
): Features {
  const make = (name: string, shape: number[], scale = 1): Tensor =>
    tensor(
      filler(name, shape).map((value) => value * scale),
      { shape, dtype },
    );
  return {
    logits: make(`${who}.logits`, [batch, classes], 2),
    taps: taps.map((shape, i) => make(`${who}.${i}`, [batch, ...shape])),
  };
}

/** Compare a loss's gradients with finite differences, in the student's features and in every trained module's parameters. */
export function gradcheckLoss(
  name: string,
  student: number[][],
  teacher: number[][],
  options: LossSettings & {
    phase?: PhaseName;
    context?: Partial<LossContext>;
    input?: Partial<LossInput>;
    /** Which of the student's taps are moved; default all. -1: the logits. */
    moved?: readonly number[];
    parameters?: boolean;
    /** Before each evaluation: a loss with state must be put back. */
    reset?: (loss: DistillLoss) => void;
    rtol?: number;
    atol?: number;
    batch?: number;
  } = {},
): void {
  const { phase = 'train', batch = 3, moved = student.map((_, i) => i), reset, input: more = {} } = options;
  tidy(() => {
    const context = contextOf(student, teacher, { classes: 5, batchSize: batch, ...options.context });
    const loss = createLoss(name, context, options);
    try {
      fillModule(loss.modules);
      toFloat64(loss.modules);
      const s = fillerFeatures('s', student, { batch });
      const t = fillerFeatures('t', teacher, { batch });
      const trained = loss.phases.find((p) => p.name === phase)!.trains;
      const parameters =
        options.parameters === false ? [] : trained.flatMap((key) => Object.values(slots(loss.modules.entries[key]!)));
      const leaves = [...moved.map((i) => (i === -1 ? s.logits : s.taps[i]!)), ...parameters.map(({ get }) => get())];
      gradcheck(
        (...values) => {
          reset?.(loss);
          const features: Features = { logits: s.logits, taps: [...s.taps] };
          for (const [i, tap] of moved.entries()) {
            if (tap === -1) features.logits = values[i]!;
            else features.taps[tap] = values[i]!;
          }
          const before = parameters.map(({ get }) => get());
          for (const [i, { set }] of parameters.entries()) set(values[moved.length + i]!);
          const terms = loss.terms({
            student: features,
            teacher: t,
            labels: labelsOf(5, batch),
            epoch: 0,
            step: 0,
            seed: 0,
            phase,
            ...more,
          });
          for (const [i, { set }] of parameters.entries()) set(before[i]!);
          return sumOf(terms);
        },
        leaves.map((leaf) => leaf.detach()),
        { rtol: options.rtol ?? 1e-5, atol: options.atol ?? 1e-7 },
      );
    } finally {
      loss.dispose();
    }
  });
}

/** Where each parameter of a module is held. */
function slots(root: Module): Record<string, { get: () => Tensor; set: (value: Tensor) => void }> {
  const found: Record<string, { get: () => Tensor; set: (value: Tensor) => void }> = {};
  const trained = new Set(root.parameters());
  for (const [path, module] of root.namedModules()) {
    for (const [key, value] of Object.entries(module) as [string, unknown][]) {
      if (!trained.has(value as Tensor)) continue;
      found[`${path}.${key}`] = {
        get: () => (module as unknown as Record<string, Tensor>)[key]!,
        set: (next) => Object.assign(module, { [key]: next }),
      };
    }
  }
  return found;
}
