/** @file The losses of a run, made once both networks are there. */
import type { MethodSettings } from '../config/derive.ts';
import { createLoss, findLoss, type LossContext } from '../distill/losses/index.ts';
import { Methods } from '../distill/methods.ts';
import type { TeacherModel } from '../distill/teacher.ts';
import type { FeatureOptions, ImageModel } from '../models/index.ts';
import { noGrad, tidy, zeros } from '../torch/index.ts';

/** The shapes of a network's taps for one image; none for a teacher that gives logits only. */
function tapShapes(
  network: { features?: ImageModel['features'] },
  size: number,
  device: string,
  options: FeatureOptions = {},
): number[][] {
  if (!network.features) return [];
  return tidy(() =>
    noGrad(() =>
      network.features!(zeros([1, 3, size, size], { device }), options).taps.map(({ shape }) => shape.slice(1)),
    ),
  );
}

/** What losses are made for: two networks and a training set. */
export interface MethodsContext extends Omit<LossContext, 'student' | 'teacher'> {
  student: { name: string; network: ImageModel };
  teacher: { name: string; network: TeacherModel };
  imageSize: number;
}

/**
 * Refuse, before the data is loaded, what `makeMethods` would refuse after: networks that a loss cannot compare, losses that cannot be
 * combined, memory that would not fit.
 *
 * @throws UserError
 */
export function checkMethods(settings: readonly MethodSettings[], context: Omit<MethodsContext, 'labels'>): void {
  for (const { name, options } of settings) findLoss(name).check?.(context, options);
  // Made for a handful of samples: what holds something of each is not filled twice.
  makeMethods(settings, { ...context, samples: context.classes }).dispose();
}

/**
 * Make a configuration's losses. The caller disposes them.
 *
 * @throws UserError for networks that a loss cannot compare, losses that cannot be combined, or memory that would not fit
 */
export function makeMethods(settings: readonly MethodSettings[], context: MethodsContext): Methods {
  const { student, teacher, imageSize, device = 'cpu', ...rest } = context;
  student.network.eval();
  const both: LossContext = {
    ...rest,
    device,
    student: { name: student.name, taps: tapShapes(student.network, imageSize, device) },
    teacher: { name: teacher.name, taps: tapShapes(teacher.network, imageSize, device) },
  };
  const made: { loss: ReturnType<typeof createLoss>; on: 'x' | 'both' }[] = [];
  try {
    for (const { name, on, ...chosen } of settings) made.push({ loss: createLoss(name, both, chosen), on });
    for (const [who, { network }] of [
      ['student', student],
      ['teacher', teacher],
    ] as const) {
      const preact = made.some(({ loss }) => loss.phases.some(({ needs }) => needs[who] === 'preact'));
      // A network that is tapped by path has none before its ReLU: that is said now, not in the first step.
      if (preact) tapShapes(network, imageSize, device, { preact });
    }
    return new Methods(made, context.seed);
  } catch (error) {
    for (const { loss } of made) loss.dispose();
    throw error;
  }
}
