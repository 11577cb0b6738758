/** @file Distillation losses by name: `createLoss('crd', …)`. One file each; docs/losses.md has the table. */

export type { OptionSpec } from '../../base/options.ts';
export type {
  DistillLoss,
  LossContext,
  LossDefinition,
  LossInput,
  LossPhase,
  LossTerms,
  Needs,
  NetworkShape,
  PhaseName,
  TapKind,
  TapShapes,
  WrittenLoss,
} from './loss.ts';
export { defineLoss } from './loss.ts';
export { ModuleDict } from './modules.ts';
export { enterPhase, type Passes, passesOf, phaseOf } from './phases.ts';
export {
  type AnyDefinition,
  createLoss,
  findLoss,
  forget,
  type LossSettings,
  lossDefinitions,
  losses,
  lossNames,
} from './registry.ts';
