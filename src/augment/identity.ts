import type { Scheme } from './scheme.ts';

/** x' is x: the second view brings nothing new, the baseline of every comparison. */
export const identity: Scheme<Record<string, never>> = {
  name: 'identity',
  source: 'none',
  mixes: false,
  draw: () => ({}),
  apply: ({ x }) => x.clone(),
};
