import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fillModule } from '../../test/filler.ts';
import { UserError } from '../base/errors.ts';
import { readWeights, type StoredTensors, writePth, writeSafetensors } from '../formats/index.ts';
import { createEmptyModel, createModel } from '../models/index.ts';
import { memory, setNumThreads } from '../torch/index.ts';
import { checkpointNetwork } from '../train/checkpoint.ts';
import { toStored } from '../train/weights.ts';
import { evaluateCheckpoint } from './evaluate-checkpoint.ts';
import { exportCheckpoint } from './export-network.ts';
import { importWeights } from './import-weights.ts';
import { loadNetwork } from './load-network.ts';
import { recognizeModel } from './recognize.ts';

let folder: string;
/** resnet8 for ten classes, filled by formula. */
let weights: StoredTensors;
beforeAll(() => {
  setNumThreads(1);
  folder = mkdtempSync(join(tmpdir(), 'thrive-import-'));
  using model = fillModule(createEmptyModel('resnet8', { classes: 10 }));
  weights = toStored(model.stateDict());
  writePth(file('resnet8.pth'), weights, { epoch: 7 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string): string => join(folder, name);
const same = (a: StoredTensors, b: StoredTensors, names: Iterable<string> = a.keys()): void => {
  for (const name of names) expect(Buffer.compare(a.get(name)!.data, b.get(name)!.data), name).toBe(0);
};

async function refusal(run: () => Promise<unknown>): Promise<string> {
  const before = memory().tensors;
  try {
    await run();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    expect(memory().tensors).toBe(before);
    return `${(error as UserError).message}\n${(error as UserError).hint ?? ''}`;
  }
  throw new Error('it was accepted');
}

describe('a PyTorch file becomes a checkpoint that says what it is', () => {
  test('recognised by its names and shapes', async () => {
    const before = memory().tensors;
    const out = file('teacher.safetensors');
    const imported = await importWeights(file('resnet8.pth'), { data: 'cifar10', out });
    expect(memory().tensors).toBe(before);
    expect(imported).toMatchObject({
      model: 'resnet8',
      recognized: true,
      fileClasses: 10,
      classes: 10,
      resetHead: false,
    });
    expect(checkpointNetwork(out)).toMatchObject({ model: 'resnet8', classes: 10, imageSize: 32, data: 'cifar10' });
    same(weights, (await readWeights(out)).tensors);
    // And is measured without being told anything.
    expect(await refusal(() => evaluateCheckpoint(out, { data: 'synthetic', limitTest: 20, threads: 1 }))).toMatch(
      /was trained for other classes \(airplane, automobile, bird, …\) than synthetic has \(striped disc, /,
    );
    await importWeights(file('resnet8.pth'), { data: 'synthetic', out });
    const scored = await evaluateCheckpoint(out, { limitTest: 20, threads: 1 });
    expect(scored.model).toBe('resnet8');
  });

  test('with a network of one’s own', async () => {
    const net = file('net.mjs');
    writeFileSync(
      net,
      `import { createEmptyModel } from 'thrive/models';\nexport default (o) => createEmptyModel('resnet8', o);`,
    );
    const out = file('own.safetensors');
    await importWeights(file('resnet8.pth'), { model: net, data: 'cifar10', out });
    expect(checkpointNetwork(out)).toMatchObject({ model: 'net.mjs', modelFile: { path: net } });
    const { network, notes } = await loadNetwork(out, { classes: 10, imageSize: 32, modelSetting: 'model' });
    same(weights, toStored(network.stateDict()));
    expect(notes).toEqual([]);
    network.dispose();
    writeFileSync(
      net,
      `${`import { createEmptyModel } from 'thrive/models';\nexport default (o) => createEmptyModel('resnet8', o);`} // edited`,
    );
    const again = await loadNetwork(out, { classes: 10, imageSize: 32, modelSetting: 'model' });
    expect(again.notes.join()).toMatch(/net\.mjs is not as it was when .*own\.safetensors was trained/);
    again.network.dispose();
    rmSync(net);
    expect(await refusal(() => loadNetwork(out, { classes: 10, imageSize: 32, modelSetting: 'model' }))).toMatch(
      /is of a network made by net\.mjs, which is not there any more\nlooked for /,
    );
  });

  test('for other classes: all but the classifier, which is a new network’s of that seed', async () => {
    const out = file('reset.safetensors');
    const imported = await importWeights(file('resnet8.pth'), { data: 'cifar100', out, resetHead: true, seed: 5 });
    expect(imported).toMatchObject({ model: 'resnet8', fileClasses: 10, classes: 100, resetHead: true });
    const { tensors } = await readWeights(out);
    const head = ['fc.weight', 'fc.bias'];
    same(
      weights,
      tensors,
      [...weights.keys()].filter((name) => !head.includes(name)),
    );
    using drawn = createModel('resnet8', { classes: 100, seed: 5 });
    same(toStored(drawn.stateDict()), tensors, head);
  });

  test('from under a key that is named', async () => {
    const kept = file('ema.pth');
    const out = file('ema.safetensors');
    const tensors = new Map([...weights].map(([name, tensor]) => [`module.${name}`, tensor]));
    writePth(kept, tensors, {}, 'ema');
    const imported = await importWeights(kept, { data: 'cifar10', out, key: 'ema' });
    expect(imported).toMatchObject({ model: 'resnet8' });
    expect(imported.notes.join()).toMatch(/'module\.' was taken off/);
    same(weights, (await readWeights(out)).tensors);
    expect(await refusal(() => importWeights(kept, { data: 'cifar10', out, key: 'em' }))).toMatch(
      /no weights where they were looked for/,
    );
  });

  test('a seed without anything to draw is refused', async () => {
    const options = { data: 'cifar10', out: file('seeded.safetensors'), seed: 5 };
    expect(await refusal(() => importWeights(file('resnet8.pth'), options))).toMatch(/^seed 5: nothing is drawn/);
  });

  test('a new classifier even for the same classes, where asked for', async () => {
    const out = file('same.safetensors');
    await importWeights(file('resnet8.pth'), { data: 'cifar10', out, resetHead: true, seed: 5 });
    const { tensors } = await readWeights(out);
    using drawn = createModel('resnet8', { classes: 10, seed: 5 });
    same(toStored(drawn.stateDict()), tensors, ['fc.weight', 'fc.bias']);
  });

  test('refused: other classes, offering a new classifier; another architecture, saying which it is', async () => {
    const out = file('no.safetensors');
    expect(await refusal(() => importWeights(file('resnet8.pth'), { data: 'cifar100', out }))).toMatch(
      /was trained for 10 classes, the data has 100\n.* with resetHead$/,
    );
    expect(
      await refusal(() => importWeights(file('resnet8.pth'), { data: 'cifar10', model: 'resnet14', out })),
    ).toMatch(
      /do not fit this ResNet:\n {2}missing from the file \(30\): layer1\.1\.conv1\.weight, .*\nby their names and shapes they are those of a resnet8 with 10 classes/,
    );
    expect(
      await refusal(() =>
        importWeights(file('resnet8.pth'), { data: 'cifar100', model: 'resnet8x4', resetHead: true, out }),
      ),
    ).toMatch(
      /do not fit, the classifier fc left aside:\n {2}.*of another shape \(\d+\): conv1\.weight is \[16, 3, 3, 3\], the model has \[32, 3, 3, 3\]/s,
    );
    expect(await refusal(() => importWeights(file('resnet8.pth'), { data: 'cifar10', out: file('x.pth') }))).toMatch(
      /a checkpoint is a \.safetensors file/,
    );
    expect(existsSync(out)).toBe(false);
  });
});

describe('recognising', () => {
  const changed = (change: (tensors: StoredTensors) => void): StoredTensors => {
    const copy = new Map(weights);
    change(copy);
    return copy;
  };
  const said = (tensors: StoredTensors): Promise<string> =>
    refusal(async () => recognizeModel(tensors, 'w.pth', 'model'));

  test('goes by names and shapes, not by batch counters or classes', () => {
    const old = new Map([...weights].filter(([name]) => !name.endsWith('num_batches_tracked')));
    expect(recognizeModel(old, 'w.pth', 'model')).toEqual({ model: 'resnet8', classes: 10 });
  });

  test('says what is nearest and what keeps it from fitting', async () => {
    expect(await said(changed((tensors) => tensors.delete('layer2.0.conv2.weight')))).toMatch(
      /the nearest is resnet8, but\n {2}missing from the file \(1\): layer2\.0\.conv2\.weight\n/,
    );
    expect(await said(changed((tensors) => tensors.set('extra.weight', tensors.get('fc.bias')!)))).toMatch(
      /the nearest is resnet8, but\n {2}in the file but not in the model \(1\): extra\.weight\n/,
    );
  });

  test('of something else it says what is in it', async () => {
    const other = new Map([...weights].map(([name, tensor]) => [`encoder.${name}x`, tensor]));
    expect(await said(other)).toMatch(
      /no architecture here has the weights in w\.pth \(encoder\.conv1\.weightx, .*, …\)\nfor a network of your own, .* name that: model: '\.\/my-net\.ts'/,
    );
  });
});

describe('export', () => {
  test('there and back: the same weights, in both formats, without the optimizer’s', async () => {
    const checkpoint = file('run.safetensors');
    await importWeights(file('resnet8.pth'), { data: 'cifar10', out: checkpoint });
    const whole = await readWeights(checkpoint);
    const momentum: StoredTensors = new Map([
      ...whole.tensors,
      ['optimizer.momentum.fc.bias', weights.get('fc.bias')!],
    ]);
    writeSafetensors(file('last.safetensors'), momentum, whole.extra as Record<string, string>);
    for (const out of [file('out.safetensors'), file('out.pth')]) {
      const written = await exportCheckpoint(file('last.safetensors'), { out });
      expect(written).toMatchObject({ tensors: weights.size, file: out });
      const { tensors } = await readWeights(out);
      expect([...tensors.keys()].sort()).toEqual([...weights.keys()].sort());
      same(weights, tensors);
    }
    // The safetensors file is a checkpoint still, and a PyTorch file can be exported as well.
    expect(checkpointNetwork(file('out.safetensors'))).toEqual(checkpointNetwork(checkpoint));
    await exportCheckpoint(file('resnet8.pth'), { out: file('plain.safetensors') });
    same(weights, (await readWeights(file('plain.safetensors'))).tensors);
  });

  test('a misspelt name is refused by formats that do not need it, too', async () => {
    const [from, out] = [file('resnet8.pth'), file('misspelt.pth')];
    expect(await refusal(() => exportCheckpoint(from, { out, model: 'resnet9' }))).toMatch(/unknown model 'resnet9'/);
    expect(await refusal(() => exportCheckpoint(from, { out, data: 'cifar11' }))).toMatch(/unknown dataset 'cifar11'/);
    expect(existsSync(out)).toBe(false);
  });

  test('under a key of its own', async () => {
    await exportCheckpoint(file('resnet8.pth'), { out: file('key.pth'), key: 'student' });
    same(weights, (await readWeights(file('key.pth'), 'student')).tensors);
    expect(
      await refusal(() => exportCheckpoint(file('resnet8.pth'), { out: file('k.safetensors'), key: 'model' })),
    ).toMatch(/^key is for a \.pth file/);
  });

  test('a format nobody knows, or none said', async () => {
    expect(await refusal(() => exportCheckpoint(file('resnet8.pth'), { out: 'x', format: 'pht' }))).toMatch(
      /unknown format 'pht'; did you mean 'pth'/,
    );
    expect(await refusal(() => exportCheckpoint(file('resnet8.pth'), { out: 'weights.bin' }))).toMatch(
      /the name weights\.bin does not say which format to write\ngive format: safetensors, pth, onnx/,
    );
  });
});
