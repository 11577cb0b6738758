/** @file How many images pass through each network: what a run costs, whatever machine it runs on. */

import type { Config } from '../config/config.ts';
import { kdOf, viewOf } from '../config/derive.ts';
import type { Methods } from '../distill/methods.ts';
import { criterionNeeds, pickCount } from '../distill/pick/index.ts';
import { asksTeacherOnX } from '../train/distillation.ts';

export interface Forwards {
  teacher: number;
  student: number;
}

/** Images kept of all batches' pools in an epoch over `count` images. */
function keptInEpoch(pick: Parameters<typeof pickCount>[0], batchSize: number, count: number): number {
  const rest = count % batchSize;
  return Math.floor(count / batchSize) * pickCount(pick, batchSize) + (rest > 0 ? pickCount(pick, rest) : 0);
}

/**
 * Images that pass through each network in one of the run's own epochs over `count` images, measuring aside. Several teachers
 * count as one.
 */
export function epochForwards(config: Config, count: number, methods: Methods | null = null): Forwards {
  const { task, batchSize } = config;
  const strong = viewOf(config);
  if (task === 'train') return { teacher: 0, student: count };
  // One pass gives logits and taps; taps before and after the last ReLU of a stage take two.
  const onX = asksTeacherOnX(kdOf(config), strong, methods)
    ? Math.max(1, methods?.passes('train').teacher.length ?? 0)
    : 0;
  if (!strong) return { teacher: count * onX, student: count };
  const taps = methods?.passes('train', 'strong').teacher.length ?? 0;
  const { pick } = strong;
  if (!pick) {
    const asked = strong.labels === 'teacher' || methods?.actsOn('strong');
    return { teacher: count * (onX + (asked ? Math.max(1, taps) : 0)), student: 2 * count };
  }
  const kept = keptInEpoch(pick, batchSize, count);
  const needs = criterionNeeds(pick.criterion);
  const pool = count * pick.factor;
  // Where the teacher scored the pool its logits are used again.
  const ofPool = needs.teacher ? pool + kept * taps : kept * Math.max(1, taps);
  return { teacher: count * onX + ofPool, student: count + kept + (needs.student ? pool : 0) };
}

/** The same in an epoch of the stage before. */
export function initForwards(count: number, methods: Methods): Forwards {
  const { teacher, student } = methods.passes('init');
  return { teacher: count * Math.max(1, teacher.length), student: student === 'none' ? 0 : count };
}
