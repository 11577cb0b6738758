/** @file A user's own loss, augmentation, criterion and dataset: loaded from files, checked, and said where they are wrong. */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { augmentations, schemeByName } from '../src/augment/index.ts';
import { codeHash } from '../src/base/code-hash.ts';
import { datasetInfo, loadSplit } from '../src/data/index.ts';
import { createLoss, findLoss, losses } from '../src/distill/losses/index.ts';
import { criterionRegistry, pick } from '../src/distill/pick/index.ts';
import { addPart, loadPart, openDataset } from '../src/parts/index.ts';
import { tensor, tidy } from '../src/torch/index.ts';
import { batchView, drawContext } from './augment.ts';
import { expectNoLeak } from './torch.ts';

const example = (name: string): string => fileURLToPath(new URL(`../examples/${name}`, import.meta.url));
let root: string;
let count = 0;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'thrive-parts-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A file of the user's. */
function file(code: string): string {
  const path = join(root, `part-${count++}.ts`);
  writeFileSync(path, code);
  return path;
}

const context = {
  student: { name: 's', taps: [] },
  teacher: { name: 't', taps: [] },
  classes: 3,
  samples: 10,
  batchSize: 2,
  seed: 0,
};
const logits = (values: number[]) => tensor(values, { shape: [2, 3], dtype: 'float32' });
const input = () => ({
  student: { logits: logits([1, 2, 3, 0, 0, 3]), taps: [] },
  teacher: { logits: logits([3, 2, 1, 0, 3, 0]), taps: [] },
  labels: tensor([0, 1], { dtype: 'int64' }),
  epoch: 0,
  step: 0,
  seed: 0,
  phase: 'train' as const,
});

describe('a loss', () => {
  test('of a file is made like any other, with its options', async () => {
    const path = example('my-loss.ts');
    await loadPart('loss', path);
    const loss = createLoss(path, context, { options: { scale: 2 } });
    expect([loss.name, loss.weight]).toEqual(['logit-mse', 1]);
    // Rows without their means: ±(1, 0, -1) apart by (2, 0, -2); then (0, 3, -3) apart.
    tidy(() => expect(loss.terms(input()).mse!.item()).toBeCloseTo((2 * (4 + 4 + 9 + 9)) / 6, 5));
    expect(() => createLoss(path, context, { options: { scal: 2 } })).toThrow("did you mean 'scale'?");
    expect(losses.identity(path)).toEqual({ name: 'my-loss.ts', sha256: codeHash(path) });
    loss.dispose();
  });

  test.each([
    ['a vector', '({ student, teacher }) => ({ d: student.logits.sub(teacher.logits) })', 'returns [2, 3] as d'],
    ['a number', '() => ({ d: 1 })', 'returns a number as d'],
    ['no name', '({ student }) => student.logits.mean()', 'returns a tensor without a name'],
    ['NaN', '({ student }) => ({ d: student.logits.sub(9).log().mean() })', 'gives d the value NaN, though the logits'],
    ['an error', "() => { throw new Error('not today'); }", 'failed in terms, line 5: not today'],
  ])('whose terms are %s says file and line', async (_what, terms, message) => {
    const code = `import { defineLoss } from 'thrive';\nexport default defineLoss({\n  name: 'mine',\n  create: () => ({\n    terms: ${terms},\n  }),\n});\n`;
    const path = file(code);
    await loadPart('loss', path);
    const loss = createLoss(path, context);
    const run = () => tidy(() => loss.terms(input()));
    expect(run).toThrow(message);
    expect(run).toThrow(`the loss mine of ${path}`);
    expect(run).toThrow(', line 5');
  });
});

describe('an augmentation', () => {
  test('of a file draws the same for the same sample, and leaves nothing behind', async () => {
    const path = example('my-augmentation.ts');
    await loadPart('augmentation', path);
    const scheme = schemeByName(path, { least: 0.2 });
    const drawn = scheme.draw(drawContext(4));
    expect(scheme.draw(drawContext(4))).toEqual(drawn);
    expect(Math.min(...(drawn.kept as Float64Array))).toBeGreaterThanOrEqual(0.2);
    tidy(() => {
      const view = batchView(4, { size: 32 });
      expectNoLeak(() => scheme.apply(view, drawn).dispose());
      const made = scheme.apply(view, drawn);
      const kept = tensor(drawn.kept as Float64Array, { shape: [4, 1, 1, 1], dtype: 'float32' });
      expect(made).toBeAllclose(view.x.mul(kept));
    });
    expect(augmentations.identity(path).sha256).toBe(codeHash(path));
  });

  const scheme = (draw: string, apply: string, more = ''): string =>
    `import { defineAugmentation } from 'thrive';\nexport default defineAugmentation({\n  name: 'mine',${more}\n  draw: ${draw},\n  apply: ${apply},\n});\n`;

  test.each([
    ['throws in draw', "() => { throw new Error('no'); }", '({ x }) => x', 'failed in draw, line 4: no'],
    ['throws in apply', '() => ({})', '({ x }) => x.reshape([1])', 'failed in apply, line 5:'],
    ['draws nothing', '() => null', '({ x }) => x', 'draw, line 4 returns null'],
    ['draws a list', '() => ({ a: [1] })', '({ x }) => x', 'draw, line 4 returns an object of class Array as a'],
    ['makes another shape', '() => ({})', '({ x }) => x.narrow(0, 0, 1)', 'apply, line 5 makes float32 [1, 3, 32, 32]'],
    ['makes another dtype', '() => ({})', "({ x }) => x.to('float64')", 'apply, line 5 makes float64'],
    ['makes NaN', '() => ({})', '({ x }) => x.mul(Number.NaN)', 'apply, line 5 makes NaN or infinite pixels'],
    ['makes no tensor', '() => ({})', '() => 3', 'apply, line 5 returns a number'],
  ])('that %s says file and line', async (_what, draw, apply, message) => {
    const path = file(scheme(draw, apply));
    await loadPart('augmentation', path);
    const mine = schemeByName(path);
    const run = () =>
      tidy(() => {
        const view = batchView(4, { size: 32 });
        mine.apply(view, mine.draw(drawContext(4)));
      });
    expect(run).toThrow(message);
    expect(run).toThrow(`the augmentation mine of ${path}`);
  });

  test('that says it mixes must say how', async () => {
    const path = file(scheme('() => ({})', '({ x }) => x', ' mixes: true,'));
    await loadPart('augmentation', path);
    expect(() => schemeByName(path).draw(drawContext(4))).toThrow('draw, line 4 does not say how images are mixed');
  });
});

describe('a criterion', () => {
  const pool = (criterion: string) =>
    tidy(() =>
      pick({ criterion, keep: 1, size: 2, poolTeacherLogits: logits([3, 2.9, 0, 5, 0, 0]), seed: 0, step: 0 }),
    );

  test('of a file picks', async () => {
    const path = example('my-criterion.ts');
    await loadPart('criterion', path);
    const picked = pool(path);
    expect([...picked.indices]).toEqual([0]);
    expect(criterionRegistry.get(path).needs).toEqual({ teacher: true, student: false, batchTeacher: false });
  });

  test.each([
    ['throws', "() => { throw new Error('no'); }", 'failed in score, line 5: no'],
    ['gives another shape', '({ teacher }) => teacher', 'score, line 5 gives [2, 3] for 2 images'],
    ['gives NaN', '({ teacher }) => teacher.sum(1).mul(Number.NaN)', 'score, line 5 gives image 0 the score NaN'],
    ['gives no tensor', '() => [1, 2]', 'score, line 5 returns an object of class Array'],
  ])('that %s says file and line', async (_what, score, message) => {
    const code = `import { defineCriterion } from 'thrive';\nexport default defineCriterion({\n  name: 'mine',\n  needs: { teacher: true },\n  score: ${score},\n});\n`;
    const path = file(code);
    await loadPart('criterion', path);
    expect(() => pool(path)).toThrow(message);
    expect(() => pool(path)).toThrow(`the criterion mine of ${path}`);
  });
});

describe('a dataset', () => {
  test('of a file is loaded, and limited class by class', async () => {
    const path = example('my-data.ts');
    const info = await openDataset(path);
    expect(info).toMatchObject({ name: 'stripes', classes: 2, padding: 4, cutout: 8 });
    const set = await loadSplit({ data: path }, 'train', 10);
    expect([...set.labels]).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    await expect(loadSplit({ data: path }, 'test', 61)).rejects.toThrow('limitTest 61: my-data.ts has 60 test');
  });

  test('that throws when it loads says file and line', async () => {
    const code = `import { defineDataset } from 'thrive';\nexport default defineDataset({\n  name: 'mine', classNames: ['a', 'b'], size: 8, mean: [0, 0, 0], std: [1, 1, 1],\n  load: async () => {\n    throw new Error('gone');\n  },\n});\n`;
    const path = file(code);
    await openDataset(path);
    await expect(loadSplit({ data: path }, 'train')).rejects.toThrow(
      `the dataset mine of ${path} failed in load, line 5: gone`,
    );
  });

  test('without a policy is not given one', async () => {
    const path = example('my-data.ts');
    const { padding, cutout, policy } = await openDataset(path);
    const settings = { padding, cutout, policy };
    expect(() => schemeByName('autoaugment').draw(drawContext(2, { settings }))).toThrow('no policy for this dataset');
    expect(() => schemeByName('autoaugment', { policy: 'cifar10' }).draw(drawContext(2, { settings }))).not.toThrow();
  });
});

describe('a file', () => {
  test('that is not there, exports nothing or something else, several, or does not parse', async () => {
    const missing = join(root, 'absent.ts');
    await expect(loadPart('loss', missing)).rejects.toThrow(`there is no file ${missing} that could export a loss`);
    await expect(loadPart('loss', root)).rejects.toThrow('is a folder');
    await expect(loadPart('loss', file('export const a = 1;'))).rejects.toThrow('exports no loss: it exports a');
    await expect(loadPart('loss', example('my-augmentation.ts'))).rejects.toThrow(
      'exports no loss: it exports an augmentation',
    );
    const two = "import { defineLoss } from 'thrive';\nconst create = () => ({ terms: () => ({}) });\n";
    await expect(
      loadPart(
        'loss',
        file(
          `${two}export const a = defineLoss({ name: 'a', create });\nexport const b = defineLoss({ name: 'b', create });`,
        ),
      ),
    ).rejects.toThrow('exports several of a kind: a, b');
    await expect(loadPart('loss', file('export default {'))).rejects.toThrow('cannot read the loss in');
    await expect(
      loadPart('loss', file("import { defineLoss } from 'thrive';\ndefineLoss({ name: 'x y' });")),
    ).rejects.toThrow('its name must be a word');
    const one = file(`${two}export const mine = defineLoss({ name: 'mine', create });`);
    await loadPart('loss', one);
    expect(findLoss(one).name).toBe('mine');
  });

  test('that has changed is read anew, and its identity with it', async () => {
    const path = join(root, 'changing.ts');
    copyFileSync(example('my-data.ts'), path);
    await openDataset(path);
    const before = datasetInfo(path);
    await openDataset(path);
    expect(datasetInfo(path)).toBe(before);
    writeFileSync(
      path,
      `import { defineDataset } from 'thrive';\nexport default defineDataset({ name: 'other', classNames: ['a', 'b'], size: 8, mean: [0, 0, 0], std: [1, 1, 1], load: () => ({ images: new Uint8Array(192), labels: [0] }) });\n`,
    );
    expect((await openDataset(path)).name).toBe('other');
  });

  test('an object is told by the text of its functions', async () => {
    const { defineCriterion } = await import('../src/distill/index.ts');
    const make = (factor: number) =>
      factor === 1
        ? defineCriterion({ name: 'first', needs: { teacher: true }, score: ({ teacher }) => teacher.select(1, 0) })
        : defineCriterion({ name: 'first', needs: { teacher: true }, score: ({ teacher }) => teacher.select(1, 1) });
    const reference = addPart('criterion', make(1));
    const one = criterionRegistry.identity(reference);
    addPart('criterion', make(1));
    expect(criterionRegistry.identity(reference)).toEqual(one);
    addPart('criterion', make(2));
    expect(criterionRegistry.identity(reference).sha256).not.toBe(one.sha256);
    expect(one.name).toBe('first');
  });
});
