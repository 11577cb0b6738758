import { defineAugmentation } from './scheme.ts';

/** x' is x: the second view brings nothing new, the baseline of every comparison. */
export const identity = defineAugmentation({
  name: 'identity',
  source: 'none',
  draw: (): Record<string, never> => ({}),
  apply: ({ x }) => x.clone(),
});
