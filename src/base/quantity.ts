/** A number of things in words: `1 epoch`, `240 epochs`, `50,000 images`. */
export const quantity = (n: number | bigint, what: string): string =>
  `${n.toLocaleString('en-US')} ${what}${n === 1 || n === 1n ? '' : 's'}`;

/** A byte count for a message. */
export const byteText = (count: number | bigint): string => quantity(count, 'byte');
