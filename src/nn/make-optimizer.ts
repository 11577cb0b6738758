import { unknownName } from '../base/suggest.ts';
import type { Tensor } from '../torch/index.ts';
import { AdamW } from './adamw.ts';
import type { Optimizer } from './optimizer.ts';
import { SGD } from './sgd.ts';

/** What an optimizer is made from; each takes what it knows. */
export interface OptimizerOptions {
  /** Default `sgd`. */
  optimizer?: OptimizerName;
  lr: number;
  weightDecay: number;
  /** SGD's. */
  momentum?: number;
  nesterov?: boolean;
  /** AdamW's. */
  betas?: readonly [number, number];
  eps?: number;
}

/** A new optimizer is one line here. */
const optimizers = {
  sgd: (parameters, { lr, weightDecay, momentum = 0, nesterov = false }) =>
    new SGD(parameters, { lr, weightDecay, momentum, nesterov }),
  adamw: (parameters, { lr, weightDecay, betas, eps }) =>
    new AdamW(parameters, { lr, weightDecay, ...(betas && { betas }), ...(eps !== undefined && { eps }) }),
} satisfies Record<string, (parameters: ReadonlyMap<string, Tensor>, options: OptimizerOptions) => Optimizer>;

export type OptimizerName = keyof typeof optimizers;
export const optimizerNames = Object.keys(optimizers) as [OptimizerName, ...OptimizerName[]];

/** @throws UserError for an unknown name, or an option out of its range */
export function makeOptimizer(parameters: ReadonlyMap<string, Tensor>, options: OptimizerOptions): Optimizer {
  const { optimizer = 'sgd' } = options;
  if (!Object.hasOwn(optimizers, optimizer)) throw unknownName('optimizer', optimizer, optimizerNames);
  return optimizers[optimizer](parameters, options);
}
