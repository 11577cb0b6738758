/** @file Picking: criteria by name, one file each, and the choice of the best of a pool. */
export {
  type CriterionDefinition,
  type CriterionInput,
  type CriterionNeeds,
  defineCriterion,
  entropy,
  logProbabilities,
  type WrittenCriterion,
} from './criterion.ts';
export {
  checkPickOptions,
  type Picked,
  type PickInput,
  type PickOptions,
  pick,
  pickCount,
  pickDefaults,
  takePicked,
} from './pick.ts';
export { criteria, criterionNeeds, criterionRegistry, findCriterion } from './registry.ts';
