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
} from './loss.ts';
export { ModuleDict } from './modules.ts';
export { enterPhase, type Passes, passesOf, phaseOf } from './phases.ts';
export { createLoss, findLoss, type LossSettings, lossDefinitions, lossNames } from './registry.ts';
