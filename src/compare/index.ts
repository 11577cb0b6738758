/** @file Finished runs side by side. */
export {
  type ComparedRow,
  type ComparedRun,
  type CompareOptions,
  type Comparison,
  type CorrelationPoint,
  type CurvePoint,
  compareRuns,
  curveMetrics,
  type Difference,
  type DifferenceKind,
  type Flag,
  type Spread,
  type StddevCorrelation,
} from './compare.ts';
