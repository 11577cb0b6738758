import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describedAll, expected, fixture, refusal, temporaryFolder } from '../../test/fixtures/formats/fixtures.ts';
import { pythonWithTorch, runPython } from '../../test/fixtures/formats/python.ts';
import { because } from '../../test/shared.ts';
import { readPth, readWeights } from './pth.ts';
import { writePth } from './pth-write.ts';
import type { Scalar } from './state-dict.ts';
import { bytesPerElement, elementCount, type StoredDType, type StoredTensors } from './stored.ts';

const folder = temporaryFolder();
const path = join(folder, 'out.pth');
const extra: Record<string, Scalar> = {
  epoch: 7,
  accuracy: 71.25,
  large: 2 ** 53 - 1,
  negative: -(2 ** 31) - 1,
  tiny: -5e-324,
  infinite: Number.NEGATIVE_INFINITY,
  name: 'résumé 😀',
  done: true,
  failed: false,
  nothing: null,
};

describe('writePth', () => {
  it('gives back what was written', async () => {
    const dtype = fc.constantFrom(...(Object.keys(bytesPerElement) as StoredDType[]));
    const tensor = fc.tuple(dtype, fc.array(fc.nat(4), { maxLength: 3 })).chain(([dtype, shape]) => {
      const length = elementCount(shape) * bytesPerElement[dtype];
      return fc.uint8Array({ minLength: length, maxLength: length }).map((data) => ({ dtype, shape, data }));
    });
    const named = fc.uniqueArray(fc.tuple(fc.string({ unit: 'grapheme', minLength: 1 }), tensor), {
      selector: ([name]) => name,
      minLength: 1,
      maxLength: 5,
    });
    await fc.assert(
      fc.asyncProperty(named, async (list) => {
        const tensors: StoredTensors = new Map(list);
        writePth(path, tensors, extra);
        const back = (await readPth(path)) as Map<string, unknown>;
        expect(describedAll(back.get('model') as StoredTensors)).toEqual(describedAll(tensors));
        expect(Object.fromEntries([...back].filter(([key]) => key !== 'model'))).toEqual(extra);
        // As PyTorch lays them out: every entry's data begins at a multiple of 64 bytes.
        for (const { data } of (back.get('model') as StoredTensors).values()) {
          if (data.length > 0) expect(data.byteOffset % 64).toBe(0);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('writes the same bytes for the same tensors, and a bare dict without extra', async () => {
    const { tensors } = await readWeights(fixture('zip-2.pth'));
    writePth(path, tensors);
    const once = readFileSync(path);
    writePth(path, tensors);
    expect(readFileSync(path).equals(once)).toBe(true);
    expect([...((await readPth(path)) as Map<string, unknown>).keys()]).toEqual(Object.keys(expected.model));
  });

  it.skipIf(!pythonWithTorch)(
    `PyTorch reads it, also with weights_only${because(pythonWithTorch, 'a Python with PyTorch')}`,
    async () => {
      const { tensors } = await readWeights(fixture('zip-2.pth'));
      const paths = ['wrapped.pth', 'whole.pth', 'bare.pth'].map((name) => join(folder, name));
      const [wrapped, whole, bare] = paths as [string, string, string];
      writePth(wrapped, tensors, extra);
      // PyTorch 1.13's weights_only cannot read a float, not even of its own writing.
      writePth(whole, tensors, { epoch: 7, large: extra.large!, done: true, nothing: null });
      writePth(bare, tensors);
      const program = `
import json, sys, torch
def described(t):
    flat = t.contiguous()
    assert t.stride() == flat.stride() and not t.requires_grad
    if flat.dtype == torch.bfloat16: flat = flat.view(torch.int16)
    return {"dtype": str(t.dtype)[6:], "shape": list(t.shape), "hex": flat.numpy().tobytes().hex()}
wrapped, whole, bare = sys.argv[1:]
out = []
for path, weights_only in ((wrapped, False), (whole, False), (whole, True), (bare, False), (bare, True)):
    value = torch.load(path, weights_only=weights_only)
    model = value.pop("model") if path != bare else value
    assert type(model).__name__ == "OrderedDict"
    rest = {k: repr(v) for k, v in value.items()} if path != bare else {}
    out.append({"model": {k: described(t) for k, t in model.items()}, "extra": rest})
print(json.dumps(out))
`;
      const results = JSON.parse(runPython(program, paths)) as { model: unknown; extra: object }[];
      for (const { model } of results) expect(model).toEqual(expected.model);
      // Python's own words for the values.
      const few = { epoch: '7', large: '9007199254740991', done: 'True', nothing: 'None' };
      const all = {
        ...few,
        accuracy: '71.25',
        negative: '-2147483649',
        tiny: '-5e-324',
        infinite: '-inf',
        name: "'résumé 😀'",
        failed: 'False',
      };
      expect(results.map((result) => result.extra)).toEqual([all, few, few, {}, {}]);
    },
  );

  it.skipIf(!pythonWithTorch)(
    `Python finds no fault in the zip, and only instructions that weights_only knows${because(pythonWithTorch, 'a Python with PyTorch')}`,
    async () => {
      const { tensors } = await readWeights(fixture('zip-2.pth'));
      writePth(path, tensors, extra);
      const program = `
import pickletools, sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
print(z.testzip(), len(z.namelist()), z.namelist()[0], *sorted({op.name for op, _, _ in pickletools.genops(z.read("archive/data.pkl"))}))
`;
      // PyTorch 2's torch/_weights_only_unpickler.py has all of these.
      const known =
        'BINFLOAT BININT BINPERSID BINUNICODE EMPTY_DICT EMPTY_TUPLE GLOBAL LONG1 MARK NEWFALSE NEWTRUE NONE PROTO REDUCE SETITEMS STOP TUPLE';
      expect(runPython(program, [path]).trim()).toBe(`None 20 archive/data.pkl ${known}`);
    },
  );

  it('refuses what it cannot write, and leaves no file', async () => {
    const good = { dtype: 'uint8', shape: [1], data: Uint8Array.of(1) } as const;
    const write = (
      extra: Record<string, Scalar>,
      tensor = good as StoredTensors extends Map<string, infer T> ? T : never,
    ) => refusal(() => writePth(join(folder, 'never.pth'), new Map([['w', tensor]]), extra));
    expect(await write({ model: 1 })).toMatch(/'model' is the weights' own key/);
    expect(await write({ list: [1] as unknown as Scalar })).toMatch(
      /'list' is neither a number, a string, a boolean nor null/,
    );
    expect(await write({}, { ...good, shape: [3] })).toMatch(
      /tensor 'w': uint8 \[3\] takes 3 bytes, but its data has 1 byte/,
    );
    expect(() => readFileSync(join(folder, 'never.pth'))).toThrow('ENOENT');
  });
});
