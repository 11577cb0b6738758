/** @file How many pictures pass through each network: what a run costs, whatever machine it runs on. */

import type { Methods } from '../distill/methods.ts';
import { criterionNeeds } from '../distill/pick.ts';
import type { Config } from './config.ts';

export interface Forwards {
  teacher: number;
  student: number;
}

/** Pictures that pass through each network in a step, as multiples of the batch. Several teachers count as one. */
export function passes({ task, strong }: Pick<Config, 'task' | 'strong'>, methods: Methods | null = null): Forwards {
  if (task === 'train') return { teacher: 0, student: 1 };
  // One pass gives logits and taps; taps before and after the last ReLU of a stage take two.
  const onX = Math.max(1, methods?.passes('train').teacher.length ?? 0);
  if (!strong) return { teacher: onX, student: 1 };
  const taps = methods?.passes('train', 'strong').teacher.length ?? 0;
  const { pick } = strong;
  if (!pick) {
    const asked = strong.labels === 'teacher' || (methods?.on('strong').length ?? 0) > 0;
    return { teacher: onX + (asked ? Math.max(1, taps) : 0), student: 2 };
  }
  const kept = pick.factor * pick.keep;
  const needs = criterionNeeds(pick.criterion);
  // Where the teacher scored the pool its logits are used again.
  const pool = needs.teacher ? pick.factor + kept * taps : kept * Math.max(1, taps);
  return { teacher: onX + pool, student: 1 + kept + (needs.student ? pick.factor : 0) };
}

/** The same in the stage before the run's own epochs. */
export function initPasses(methods: Methods): Forwards {
  const { teacher, student } = methods.passes('init');
  return { teacher: Math.max(1, teacher.length), student: student === 'none' ? 0 : 1 };
}
