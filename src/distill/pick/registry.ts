/** @file The picking criteria by name. Adding one: its file, one line here, its test. */
import { Registry } from '../../base/registry.ts';
import type { CriterionDefinition, CriterionNeeds } from './criterion.ts';
import { dissimilarity } from './dissimilarity.ts';
import { kl } from './kl.ts';
import { random } from './random.ts';
import { studentEntropy } from './student-entropy.ts';
import { teacherEntropy } from './teacher-entropy.ts';

/** What a pool can be ranked by; and the criteria of the user's that were loaded. */
export const criterionRegistry = new Registry<CriterionDefinition>('picking criterion', [
  kl,
  teacherEntropy,
  studentEntropy,
  dissimilarity,
  random,
]);

/** The names. */
export const criteria: readonly string[] = criterionRegistry.names;

/** A criterion by name, or the path of a file that was loaded. @throws UserError that names the nearest one */
export const findCriterion = (name: string): CriterionDefinition => criterionRegistry.get(name);

/** Which logits a criterion reads. */
export const criterionNeeds = (criterion: string): CriterionNeeds => findCriterion(criterion).needs;
