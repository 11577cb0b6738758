/** @file How many images a run gives its teacher at a time. */
import type { Config } from '../config/config.ts';

/** As `evaluate` takes them. */
const EVALUATION = 128;

/** A full batch and what is left for the last one. */
const parts = (count: number, size: number): number[] => [Math.min(count, size), count > size ? count % size : 0];

/**
 * Every size of batch that a run's teacher gets: in training (a pool of views where it picks) and when it is measured, the
 * smaller last ones too. Some of them where the dataset does not say how large it is, or where a part is held out by class.
 */
export function batchSizesOf(
  {
    batchSize,
    limitTrain,
    limitTest,
    holdout,
    pickFactor: factor,
  }: Pick<Config, 'batchSize' | 'limitTrain' | 'limitTest' | 'holdout' | 'pickFactor'>,
  count: Readonly<Record<'train' | 'test', number>> | undefined,
): number[] {
  const train = limitTrain ?? count?.train;
  const test = limitTest ?? count?.test;
  const known = train !== undefined && holdout === 0;
  const training = known ? parts(train, batchSize) : [batchSize, 7];
  const pools = factor === undefined ? [] : training.map((size) => size * factor);
  const measuring = test === undefined ? [EVALUATION, 1] : parts(test, EVALUATION);
  return [...new Set([...training, ...pools, ...measuring])].filter((size) => size > 0);
}
