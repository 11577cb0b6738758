import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { uniformFiller } from '../../test/filler.ts';
import { goldenPath } from '../../test/shared.ts';
import { expectNoLeak } from '../../test/torch.ts';
import { getNumThreads, setNumThreads, type Tensor, tensor, tidy } from '../torch/index.ts';
import { autoAugmentPolicies } from './autoaugment-policies.ts';
import {
  applyOperations,
  autoAugmentTable,
  linspace,
  type Operation,
  type OperationCall,
  operations,
  packProgram,
  strengthTable,
} from './operations.ts';

type Space = Record<Operation, number[]>;
interface Fixture {
  images: {
    kind: string;
    shape: [number, number, number];
    crc: string;
    translations: Pick<Space, 'TranslateX' | 'TranslateY'>;
    sums: { auto: Record<Operation, string>; wide?: Record<Operation, string> };
  }[];
  policies: Record<'cifar10' | 'imagenet', [string, string][]>;
  spaces: { auto: Space; rand: Space; wide: Space };
}
/** What torchvision 0.14.1 makes of generated images: operations.py beside it writes it. */
const fixture: Fixture = JSON.parse(
  readFileSync(new URL('../../test/fixtures/augment/operations.json', import.meta.url), 'utf8'),
);

const crc = (bytes: Uint8Array): string => crc32(bytes).toString(16).padStart(8, '0');

/** The images of operations.py. */
function image(kind: string, [channels, height, width]: readonly [number, number, number]): Uint8Array {
  const noise = uniformFiller(`${kind}.${channels}x${height}x${width}`, channels * height * width);
  return Uint8Array.from(noise, (u, i) => {
    const level = Math.floor(((u + 1) / 2) * 256);
    const [x, y, c] = [i % width, Math.floor(i / width) % height, Math.floor(i / (width * height))];
    if (kind === 'few') return c === 1 ? 77 : [10, 80, 81, 200][Math.floor(level / 64)]!;
    if (kind === 'dim') return [level % 142, 37 + (level % 101), 201 + (level % 23)][c]!;
    if (kind === 'noise') return level;
    const ramps: [number, number][] = [
      [x, width - 1],
      [y, height - 1],
      [x + y, width + height - 2],
    ];
    const [position, last] = ramps[c]!;
    return Math.floor((level + 3 * Math.floor((position * 255) / Math.max(1, last))) / 4);
  });
}

/** Every list of calls applied to the same image, as one batch. */
function variants(
  bytes: Uint8Array,
  shape: readonly number[],
  lists: readonly (readonly OperationCall[])[],
): Uint8Array[] {
  return tidy(() => {
    const one = tensor(bytes, { shape: [1, ...shape], dtype: 'uint8' });
    const batch = one.expand([lists.length, ...shape]).contiguous();
    const slots = Math.max(...lists.map((list) => list.length));
    const made = applyOperations(batch, packProgram(slots, lists)).data() as Uint8Array;
    return lists.map((_, i) => made.subarray(i * bytes.length, (i + 1) * bytes.length));
  });
}

describe('against torchvision 0.14.1', () => {
  for (const { kind, shape, crc: own, translations, sums } of fixture.images) {
    for (const [space, table] of Object.entries(sums) as ['auto' | 'wide', Record<Operation, string>][]) {
      test(`every operation at every ${space} magnitude: ${kind} ${shape.join('x')}`, () => {
        const bytes = image(kind, shape);
        expect(crc(bytes)).toBe(own);
        const magnitudes = space === 'auto' ? { ...fixture.spaces.auto, ...translations } : fixture.spaces.wide;
        for (const [operation, expected] of Object.entries(table) as [Operation, string][]) {
          const lists = magnitudes[operation].map((magnitude) => [{ operation, magnitude }]);
          const got = variants(bytes, shape, lists).map(crc);
          expect(
            got.map((sum, i) => `${operation} ${magnitudes[operation][i]}: ${sum}`),
            `${kind} ${shape.join('x')}`,
          ).toEqual(expected.split(' ').map((sum, i) => `${operation} ${magnitudes[operation][i]}: ${sum}`));
        }
      });
    }
  }

  test.each(['cifar10', 'imagenet'] as const)('both operations of every sub-policy of %s', (name) => {
    const table = autoAugmentTable(10, 32, 32);
    const lists = autoAugmentPolicies[name].flatMap((steps) =>
      [1, -1].map((sign) =>
        steps.map(([operation, , bin]) => {
          const { magnitudes, signed } = table[operation];
          return { operation, magnitude: bin === null ? 0 : magnitudes[bin]! * (signed ? sign : 1) };
        }),
      ),
    );
    const got = variants(image('smooth', [3, 32, 32]), [3, 32, 32], lists).map(crc);
    expect(got).toEqual(fixture.policies[name].flat());
  });

  test('the golden image, policies and magnitudes', () => {
    const reference: {
      image_b64: string;
      ops: { op: Operation; magnitude: number; out_b64: string }[];
      policy_cifar10: unknown;
      policy_imagenet: unknown;
      augmentation_space_10_bins_32px: Record<Operation, { magnitudes: number[] | number; signed: boolean }>;
    } = JSON.parse(readFileSync(goldenPath('autoaugment.json'), 'utf8'));
    const bytes = Uint8Array.from(Buffer.from(reference.image_b64, 'base64'));
    const lists = reference.ops.map(({ op, magnitude }) => [{ operation: op, magnitude }]);
    expect(lists.length).toBe(14);
    for (const [i, made] of variants(bytes, [3, 32, 32], lists).entries()) {
      expect(Buffer.from(made).toString('base64'), reference.ops[i]!.op).toBe(reference.ops[i]!.out_b64);
    }
    expect(autoAugmentPolicies.cifar10).toEqual(reference.policy_cifar10);
    expect(autoAugmentPolicies.imagenet).toEqual(reference.policy_imagenet);
    const table = autoAugmentTable(10, 32, 32);
    for (const [operation, { magnitudes, signed }] of Object.entries(reference.augmentation_space_10_bins_32px)) {
      expect(table[operation as Operation]).toEqual({ magnitudes: [magnitudes].flat(), signed });
    }
  });
});

describe('magnitudes', () => {
  const strengths: [keyof Fixture['spaces'], ReturnType<typeof strengthTable>][] = [
    ['auto', autoAugmentTable(10, 32, 32)],
    ['rand', autoAugmentTable(31, 32, 32)],
    ['wide', strengthTable(31, { shear: 0.99, translateX: 32, translateY: 32, degrees: 135, blend: 0.99, bits: 6 })],
  ];
  test.each(strengths)('torchvision has the same %s table', (name, table) => {
    for (const [operation, expected] of Object.entries(fixture.spaces[name]) as [Operation, number[]][]) {
      const { magnitudes, signed } = table[operation];
      const both = signed ? [...magnitudes, ...magnitudes.slice(1).map((value) => -value)] : magnitudes;
      // A vectorised torch.linspace differs from its own scalar form in the last bit.
      expect(both, operation).toBeAllclose(expected, { rtol: 1.2e-7, atol: 0 });
      if (operation.startsWith('Translate')) expect(both.map(Math.trunc)).toEqual(expected.map(Math.trunc));
    }
  });

  test('linspace meets both ends and never turns back', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -30000, max: 30000 }).map((n) => Math.fround(n / 100)),
        fc.integer({ min: 2, max: 64 }),
        (last, count) => {
          const values = linspace(0, last, count);
          expect(values.length).toBe(count);
          expect(values[0]).toBe(0);
          expect(values[count - 1]).toBe(last);
          for (let i = 1; i < count; i++)
            expect((values[i]! - values[i - 1]!) * Math.sign(last)).toBeGreaterThanOrEqual(0);
        },
      ),
    );
  });
});

describe('programs', () => {
  const legal: Record<Operation, [number, number]> = {
    Identity: [0, 0],
    ShearX: [-1, 1],
    ShearY: [-1, 1],
    TranslateX: [-40, 40],
    TranslateY: [-40, 40],
    Rotate: [-180, 180],
    Brightness: [-1, 1],
    Color: [-1, 1],
    Contrast: [-1, 1],
    Sharpness: [-1, 1],
    Posterize: [0, 8],
    Solarize: [0, 255],
    AutoContrast: [0, 0],
    Equalize: [0, 0],
    Invert: [0, 0],
  };
  const call = fc
    .constantFrom(...operations)
    .chain((operation) =>
      fc
        .double({ min: legal[operation][0], max: legal[operation][1], noNaN: true })
        .map((magnitude) => ({ operation, magnitude })),
    );
  const batch = (count: number, seed: string, shape: readonly number[]): Tensor =>
    tensor(
      Uint8Array.from(uniformFiller(seed, count * shape.reduce((a, b) => a * b, 1)), (u) => Math.floor((u + 1) * 128)),
      { shape: [count, ...shape], dtype: 'uint8' },
    );

  test('each sample goes through its own operations, whatever its neighbours go through', () => {
    fc.assert(
      fc.property(fc.array(fc.array(call, { maxLength: 3 }), { minLength: 1, maxLength: 6 }), (lists) => {
        tidy(() => {
          const images = batch(lists.length, 'neighbours', [3, 9, 7]);
          const together = applyOperations(images, packProgram(3, lists));
          for (const [i, list] of lists.entries()) {
            // Alone, and one operation at a time.
            let alone = images.narrow(0, i, 1);
            for (const step of list) alone = applyOperations(alone, packProgram(1, [[step]]));
            expect(together.narrow(0, i, 1).equal(alone)).toBe(true);
          }
        });
      }),
      { numRuns: 60 },
    );
  });

  test('pixels do not depend on the number of threads, and no tensor is left behind', () => {
    const lists = operations.flatMap((operation) => [
      [{ operation, magnitude: legal[operation][1] * 0.7 }],
      [{ operation, magnitude: legal[operation][0] * 0.3 }],
    ]);
    const program = packProgram(1, lists);
    const images = batch(lists.length, 'threads', [3, 32, 32]);
    const threads = getNumThreads();
    try {
      const made = [1, 2, 4].map((count) => {
        setNumThreads(count);
        return tidy(() => applyOperations(images, program).data());
      });
      expect(made[1]).toEqual(made[0]);
      expect(made[2]).toEqual(made[0]);
      expectNoLeak(() => applyOperations(images, program).dispose());
    } finally {
      setNumThreads(threads);
      images.dispose();
    }
  });

  test('the input is not changed, and identities leave it as it is', () => {
    tidy(() => {
      const images = batch(4, 'untouched', [3, 8, 8]);
      const before = images.data();
      applyOperations(
        images,
        packProgram(
          1,
          Array.from({ length: 4 }, () => [{ operation: 'Invert', magnitude: 0 }]),
        ),
      );
      expect(images.data()).toEqual(before);
      expect(applyOperations(images, packProgram(2, [[], [], [], []])).data()).toEqual(before);
      expect(applyOperations(images.narrow(0, 0, 0), packProgram(1, [])).shape).toEqual([0, 3, 8, 8]);
    });
  });

  test('what a program cannot be is an error, never a crash', () => {
    tidy(() => {
      const images = batch(2, 'wrong', [3, 8, 8]);
      const apply = (which: number[], magnitudes: number[], slots = 1, on = images): Tensor =>
        applyOperations(on, { slots, operations: Int32Array.from(which), magnitudes: Float64Array.from(magnitudes) });
      expect(() => apply([0], [0])).toThrow('operations: expected an Int32Array of 2 elements');
      expect(() => apply([0, 0], [0])).toThrow('magnitudes: expected a Float64Array of 2 elements');
      expect(() => apply([0, 15], [0, 0])).toThrow('operation 15 with magnitude 0.000000: there is no such operation');
      expect(() => apply([0, -1], [0, 0])).toThrow('there is no such operation');
      expect(() => apply([5, 5], [0, Number.NaN])).toThrow('it must be a finite number');
      expect(() => apply([10, 10], [4, 9])).toThrow('posterize takes 0 to 8 bits');
      expect(() => apply([11, 11], [4, 256])).toThrow('solarize takes a threshold of 0 to 255');
      expect(() => apply([6, 6], [0, -1.5])).toThrow('a blend needs at least -1');
      expect(() => apply([0, 0], [0, 0], 0)).toThrow('slots must be from 1 to 1024');
      expect(() => apply([0, 0], [0, 0], 1, images.to('float32'))).toThrow('uint8 on the CPU');
      expect(() => apply([0, 0], [0, 0], 1, batch(2, 'two channels', [2, 8, 8]))).toThrow('1 or 3 channels');
    });
  });
});
