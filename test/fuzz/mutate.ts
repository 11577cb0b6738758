/** @file Damage for fuzzing: bytes changed, cut, doubled, lengths that lie. A seed gives one file. */

/** mulberry32: small, and good enough to choose mutations. */
export function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

export type Random = ReturnType<typeof random>;
type Mutation = (bytes: Uint8Array, pick: Random) => Uint8Array;

const boundaries = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];
const opcodes = Buffer.from(
  '(.012BCFGIJKLMNQRTUX]abcdeghijlpqrstu})\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95\x96',
  'latin1',
);
const insert = (bytes: Uint8Array, at: number, remove: number, added: Uint8Array) =>
  Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + remove)]);

const mutations: readonly Mutation[] = [
  // A bit flipped, a byte replaced by any other, or by an opcode.
  (bytes, pick) => {
    const copy = bytes.slice();
    const at = pick(copy.length);
    copy[at] = copy[at]! ^ (1 << pick(8));
    return copy;
  },
  (bytes, pick) => insert(bytes, pick(bytes.length), 1, Uint8Array.of(pick(256))),
  (bytes, pick) => insert(bytes, pick(bytes.length), 1, Uint8Array.of(opcodes[pick(opcodes.length)]!)),
  (bytes, pick) => insert(bytes, pick(bytes.length), 0, Uint8Array.of(opcodes[pick(opcodes.length)]!)),
  // Cut short; a piece removed, doubled, or replaced by another piece.
  (bytes, pick) => bytes.slice(0, pick(bytes.length)),
  (bytes, pick) => insert(bytes, pick(bytes.length), pick(40), new Uint8Array(0)),
  (bytes, pick) => {
    const from = pick(bytes.length);
    return insert(bytes, pick(bytes.length), 0, bytes.subarray(from, from + pick(60)));
  },
  (bytes, pick) => {
    const [from, length] = [pick(bytes.length), pick(60)];
    return insert(bytes, pick(bytes.length), length, bytes.subarray(from, from + length));
  },
  // A length or count that lies: 2, 4 or 8 bytes.
  (bytes, pick) => {
    const field = Buffer.alloc(8);
    field.writeUInt32LE(boundaries[pick(boundaries.length)]!);
    if (pick(4) === 0) field.writeUInt32LE(boundaries[pick(boundaries.length)]!, 4);
    const width = 2 << pick(3);
    return insert(bytes, pick(Math.max(1, bytes.length - width)), width, field.subarray(0, width));
  },
  // Another number in text.
  (bytes, pick) => {
    const digits = [...bytes.keys()].filter((at) => bytes[at]! >= 0x30 && bytes[at]! <= 0x39);
    if (digits.length === 0) return bytes;
    const text = ['-1', '0', '1e3', '1.5', '9007199254740993', '18446744073709551616', '99', ''][pick(8)]!;
    return insert(bytes, digits[pick(digits.length)]!, 1, Buffer.from(text));
  },
];

/** A few mutations of a file, drawn by `pick`. */
export const mutate = (bytes: Uint8Array, pick: Random): Uint8Array => {
  let mutant = bytes;
  for (let rounds = 1 + pick(3); rounds > 0 && mutant.length > 0; rounds--)
    mutant = mutations[pick(mutations.length)]!(mutant, pick);
  return new Uint8Array(mutant);
};
