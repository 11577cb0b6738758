import { readFileSync } from 'node:fs';
import { getHeapStatistics } from 'node:v8';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  dict,
  global,
  int,
  legacyCheckpoint,
  type Part,
  program,
  reduce,
  safetensors,
  tensor,
  text,
  tuple,
  type ZipEntry,
  zip,
} from '../../test/fixtures/formats/assemble.ts';
import { fixture } from '../../test/fixtures/formats/fixtures.ts';
import { mutate, type Random, random } from '../../test/fuzz/mutate.ts';
import { UserError } from '../base/errors.ts';
import { parsePth } from './pth.ts';
import { parseSafetensors } from './safetensors.ts';
import { stateDictFrom } from './state-dict.ts';
import { bytesPerElement, elementCount, isStoredTensor, type StoredTensor } from './stored.ts';

/*
 * Damaged and hostile files: 14,000 files, mutants of real ones and made-up ones, the same in every run. Each must be read or refused with a
 * UserError, in less than a second and without memory out of proportion to its size. To look at one: its seed is in the
 * failure's message.
 */

const read = (name: string) => new Uint8Array(readFileSync(fixture(name)));
const floats = new Uint8Array(16);

/** Take a pickle out of a stored zip, mutate it, and put it back with a right checksum, so that it is really read. */
function mutatedInside(file: Uint8Array, pick: Random): Uint8Array {
  const entries: ZipEntry[] = [];
  const view = Buffer.from(file);
  let at = view.readUInt32LE(view.length - 6);
  for (let left = view.readUInt16LE(view.length - 12); left > 0; left--) {
    const [size, nameLength, extra, local] = [
      view.readUInt32LE(at + 20),
      view.readUInt16LE(at + 28),
      view.readUInt16LE(at + 30),
      view.readUInt32LE(at + 42),
    ];
    const name = view.toString('latin1', at + 46, at + 46 + nameLength);
    const start = local + 30 + view.readUInt16LE(local + 26) + view.readUInt16LE(local + 28);
    const data = file.subarray(start, start + size);
    entries.push({ name, data: name.endsWith('.pkl') ? mutate(data, pick) : data });
    at += 46 + nameLength + extra + view.readUInt16LE(at + 32);
  }
  return zip(entries);
}

const callables = [
  ['collections', 'OrderedDict'],
  ['collections', 'Counter'],
  ['collections', 'defaultdict'],
  ['builtins', 'set'],
  ['builtins', 'list'],
  ['builtins', 'object'],
  ['_codecs', 'encode'],
  ['copyreg', '_reconstructor'],
  ['argparse', 'Namespace'],
  ['pathlib', 'PosixPath'],
  ['numpy', 'dtype'],
  ['numpy.core.multiarray', 'scalar'],
  ['numpy.core.multiarray', '_reconstruct'],
  ['torch', 'FloatStorage'],
  ['torch', 'Size'],
  ['torch', 'device'],
  ['torch._utils', '_rebuild_tensor_v2'],
  ['torch._utils', '_rebuild_parameter'],
  ['torch._tensor', '_rebuild_from_type_v2'],
] as const;

/** A program of sound instructions in no sensible order: gets deeper into the machine than damage does. */
function nonsense(pick: Random): Uint8Array {
  const steps: Part[] = [];
  for (let left = 5 + pick(60); left > 0; left--) {
    const [module, name] = callables[pick(callables.length)]!;
    const choices: (() => Part)[] = [
      () => int([0, 1, 4, -1, 2 ** 40][pick(5)]!),
      () => text(['storage', '0', 'cpu', 'f8', 'latin1', '__proto__', ''][pick(7)]!),
      () => ['N', 0x88, 0x89, ')', ']', '}', 0x8f, ['C', 2, 'ab'], ['G', floats.subarray(0, 8)]][pick(9)]!,
      () => global(module, name),
      () => tensor({ offset: pick(3), size: [pick(3), pick(3)], stride: [pick(3), pick(3)] }),
      () => reduce(global(module, name), ...[int(1), text('a'), tensor()].slice(0, pick(4))),
      () => ['q', pick(6)],
      () => ['h', pick(6)],
      () => ['R', 'R', 0x81, 'b', 'Q', 'a', 's', '2', '0', 0x85, 0x86, 0x87][pick(12)]!,
      () => tuple(int(pick(9)), text('0')),
      () => dict(text('a'), int(2)),
      () => ['(', 't', 'l', 'd', 'e', 'u', '1', 0x90, 0x91][pick(9)]!,
    ];
    steps.push(choices[pick(choices.length)]!());
  }
  return program(
    '(]q',
    0,
    '}q',
    1,
    text('a'),
    'q',
    2,
    tensor(),
    'q',
    3,
    tuple(int(1)),
    'q',
    4,
    tuple(),
    'q',
    5,
    '(',
    steps,
    't',
    'l',
  );
}

/** Every tensor among the values, with a bound on the walk: shared parts make it endless. */
function* tensorsIn(value: unknown): Generator<StoredTensor> {
  const seen = new Set<unknown>();
  const waiting = [value];
  while (waiting.length > 0 && seen.size < 5000) {
    const next = waiting.pop();
    if (typeof next !== 'object' || next === null || seen.has(next)) continue;
    seen.add(next);
    if (isStoredTensor(next)) yield next;
    else if (next instanceof Map) waiting.push(...next.keys(), ...next.values());
    else if (Array.isArray(next) || next instanceof Set) waiting.push(...next);
  }
}

/** Bytes of JavaScript objects and buffers. (process.memoryUsage asks the operating system and takes a millisecond.) */
function allocated(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}

interface Outcome {
  read: number;
  refused: Map<string, number>;
  slowest: number;
  largest: number;
}

/** Run `count` mutants; any exception but a UserError, a slow one or a large one fails the test with its seed. */
async function fuzz(name: string, count: number, make: (pick: Random) => Uint8Array): Promise<Outcome> {
  const outcome: Outcome = { read: 0, refused: new Map(), slowest: 0, largest: 0 };
  for (let seed = 0; seed < count; seed++) {
    const bytes = make(random(seed));
    const before = allocated();
    const start = performance.now();
    try {
      const value = name === 'safetensors' ? parseSafetensors(bytes, 'x').tensors : await parsePth(bytes, 'x');
      for (const { dtype, shape, data } of tensorsIn(value)) {
        if (data.length !== elementCount(shape) * bytesPerElement[dtype])
          throw new Error('a tensor of the wrong length');
      }
      stateDictFrom(value, 'x');
      outcome.read++;
    } catch (error) {
      if (!(error instanceof UserError)) throw new Error(`${name}, seed ${seed}`, { cause: error });
      if (error.message.length > 1000)
        throw new Error(`${name}, seed ${seed}: a message of ${error.message.length} characters`);
      const kind = error.message.replace(/'[^']*'|\d[\d,]*|\[[^\]]*\]/g, '…');
      outcome.refused.set(kind, (outcome.refused.get(kind) ?? 0) + 1);
    }
    outcome.slowest = Math.max(outcome.slowest, performance.now() - start);
    outcome.largest = Math.max(outcome.largest, allocated() - before);
  }
  expect(outcome.slowest).toBeLessThan(1000);
  // A few kB of file: what this process itself allocates meanwhile is the larger part.
  expect(outcome.largest).toBeLessThan(32e6);
  return outcome;
}

describe('mutants are read or refused', () => {
  const before = process.resourceUsage().maxRSS;

  it('safetensors', async () => {
    const layers = {
      __metadata__: { epoch: '7' },
      a: { dtype: 'F32', shape: [2, 2], data_offsets: [0, 16] },
      b: { dtype: 'U8', shape: [0], data_offsets: [16, 16] },
    };
    const corpus = [read('reference.safetensors'), safetensors(layers, floats)];
    const { read: good, refused } = await fuzz('safetensors', 4000, (pick) => {
      const mutant = mutate(corpus[pick(corpus.length)]!, pick);
      // Half the time make the header's length right again.
      const end = Buffer.from(mutant).lastIndexOf('}');
      if (pick(2) === 0 && end > 8) new DataView(mutant.buffer).setBigUint64(0, BigInt(end - 7), true);
      return mutant;
    });
    expect(good).toBeGreaterThan(50);
    expect(refused.size).toBeGreaterThan(25);
  });

  it('PyTorch, older form', async () => {
    const corpus = [read('legacy-2.pth'), legacyCheckpoint(program(tensor()), [['0', 4, floats]])];
    const { read: good, refused } = await fuzz('legacy', 3000, (pick) => mutate(corpus[pick(corpus.length)]!, pick));
    expect(good).toBeGreaterThan(50);
    expect(refused.size).toBeGreaterThan(40);
  });

  it('PyTorch, zip form', async () => {
    const corpus = [read('zip-2.pth'), read('zip-4.pth'), read('bare.pth')];
    const { read: good, refused } = await fuzz('zip', 2000, (pick) => mutate(corpus[pick(corpus.length)]!, pick));
    expect(good).toBeGreaterThan(50);
    expect(refused.size).toBeGreaterThan(15);
  });

  it('the pickle inside the zip form, with its checksum made right', async () => {
    const corpus = [
      read('zip-2.pth'),
      read('zip-4.pth'),
      zip([
        { name: 'a/data.pkl', data: program(tensor()) },
        { name: 'a/data/0', data: floats, crc: crc32(floats) },
      ]),
    ];
    const { read: good, refused } = await fuzz('pickle', 3000, (pick) =>
      mutatedInside(corpus[pick(corpus.length)]!, pick),
    );
    expect(good).toBeGreaterThan(50);
    expect(refused.size).toBeGreaterThan(40);
  });

  it('nonsense programs', async () => {
    const { read: good, refused } = await fuzz('nonsense', 2000, (pick) =>
      legacyCheckpoint(nonsense(pick), [['0', 4, floats]]),
    );
    // None of them is a dict of weights, so the good ones end as that.
    expect(good).toBe(0);
    expect([...refused.keys()].some((message) => message.includes('not a dict of weights'))).toBe(true);
    expect(refused.size).toBeGreaterThan(30);
  });

  it('and all of them together leave the process small', () => {
    // maxRSS is the highest the whole process ever was, in kB.
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(400_000);
  });
});
