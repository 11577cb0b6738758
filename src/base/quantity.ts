/** A number of things in words: `1 epoch`, `240 epochs`, `50,000 pictures`. */
export const quantity = (n: number, what: string): string =>
  `${n.toLocaleString('en-US')} ${what}${n === 1 ? '' : 's'}`;
