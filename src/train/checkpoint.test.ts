import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UserError } from '../base/errors.ts';
import { crossEntropy } from '../distill/kl.ts';
import { readSafetensors, type StoredTensors, writeSafetensors } from '../formats/index.ts';
import { createModel, type ImageModel } from '../models/index.ts';
import { SGD } from '../nn/index.ts';
import { memory, setNumThreads, tensor, tidy } from '../torch/index.ts';
import { stream } from '../torch/random.ts';
import {
  type CheckpointInfo,
  checkpointNetwork,
  loadTraining,
  type Position,
  saveNetwork,
  saveTraining,
} from './checkpoint.ts';
import { startPosition } from './loop.ts';

let folder: string;
beforeAll(() => {
  setNumThreads(1);
  folder = mkdtempSync(join(tmpdir(), 'thrive-checkpoint-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const info: CheckpointInfo = {
  network: {
    model: 'resnet8',
    classes: 4,
    imageSize: 16,
    data: 'cifar10',
    normalization: { mean: [0.5, 0.4, 0.3], std: [0.2, 0.2, 0.1] },
    classNames: ['cat', 'dog', 'Ünïcode', ''],
  },
  metrics: { top1: 12.5, loss: 1 / 3 },
};
const file = (name: string): string => join(folder, name);

/** A network and its optimizer after some steps on noise. */
function trained(seed: number, steps: number, options: Partial<ConstructorParameters<typeof SGD>[1]> = {}) {
  const network = createModel('resnet8', { classes: 4, seed }).train();
  const optimizer = new SGD(network.namedParameters(), { lr: 0.1, momentum: 0.9, weightDecay: 1e-3, ...options });
  for (let i = 0; i < steps; i++) stepOn(network, optimizer, i);
  return {
    network,
    optimizer,
    dispose() {
      network.dispose();
      optimizer.dispose();
    },
    [Symbol.dispose]() {
      this.dispose();
    },
  };
}
function stepOn(network: ImageModel, optimizer: SGD, seed: number): void {
  tidy(() => {
    const x = tensor(stream(seed, 'noise').fillNormal(new Float32Array(4 * 3 * 256)), { shape: [4, 3, 16, 16] });
    crossEntropy(network.forward(x), tensor(Int32Array.of(0, 1, 2, 3), { dtype: 'int64' })).backward();
    optimizer.step();
    optimizer.zeroGrad();
  });
}
const bits = (tensors: ReadonlyMap<string, { bytes(): Uint8Array }>): string[] =>
  [...tensors].map(([name, t]) => `${name} ${Buffer.from(t.bytes()).toString('base64')}`);

const position: Position = {
  epoch: 2,
  step: 7,
  sums: { samples: 448, correct: 31, seconds: 0.1 + 0.2, terms: { ce: 1e-310, kl: 2 / 3, loss: 1e22 }, measures: {} },
  best: { epoch: 1, top1: 100 / 3 },
  seconds: 12.345678901234567,
};

describe('training state', () => {
  test('comes back to the bit: weights, momentum, steps, position', () => {
    using first = trained(1, 3);
    saveTraining(file('a'), first.network, first.optimizer, position, info);
    using second = trained(2, 1);
    expect(loadTraining(file('a'), second.network, second.optimizer)).toEqual(position);
    expect(second.optimizer.steps).toBe(3);
    expect(bits(second.network.stateDict())).toEqual(bits(first.network.stateDict()));
    expect(bits(second.optimizer.stateDict())).toEqual(bits(first.optimizer.stateDict()));
    for (const { network, optimizer } of [first, second]) stepOn(network, optimizer, 99);
    expect(bits(second.network.stateDict())).toEqual(bits(first.network.stateDict()));
  });

  test('without momentum there is none to save', () => {
    using first = trained(1, 2, { momentum: 0 });
    saveTraining(file('plain'), first.network, first.optimizer, position, info);
    expect([...readSafetensors(file('plain')).tensors.keys()]).toEqual([...first.network.stateDict().keys()]);
    using second = trained(2, 0, { momentum: 0 });
    loadTraining(file('plain'), second.network, second.optimizer);
    expect(bits(second.network.stateDict())).toEqual(bits(first.network.stateDict()));
    using wanting = trained(2, 0);
    expect(() => loadTraining(file('plain'), wanting.network, wanting.optimizer)).toThrow(
      /plain: the checkpoint has no momentum for conv1\.weight/,
    );
  });

  test('any position survives, NaN included', () => {
    using made = trained(1, 0);
    const real = fc.double({ noNaN: false, noDefaultInfinity: true }).map((x) => (Object.is(x, -0) ? 0 : x));
    const finite = fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 });
    fc.assert(
      fc.property(
        fc.record({
          epoch: fc.nat(),
          step: fc.nat(),
          sums: fc.record({
            samples: fc.nat(),
            correct: fc.nat(),
            seconds: finite,
            terms: fc.dictionary(fc.stringMatching(/^[a-z_]{1,8}$/), real),
            measures: fc.dictionary(fc.stringMatching(/^[a-z_]{1,8}$/), real),
          }),
          best: fc.option(fc.record({ epoch: fc.nat(), top1: real })),
          seconds: finite,
        }),
        (any) => {
          saveTraining(file('any'), made.network, made.optimizer, any, info);
          expect(loadTraining(file('any'), made.network, made.optimizer)).toEqual(any);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('is replaced whole, and frees what it took', () => {
    using made = trained(1, 1);
    saveTraining(file('b'), made.network, made.optimizer, startPosition(), info);
    const before = memory();
    saveTraining(file('b'), made.network, made.optimizer, position, info);
    expect(loadTraining(file('b'), made.network, made.optimizer)).toEqual(position);
    expect(memory()).toEqual(before);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

describe('what a file says of its network', () => {
  test('is read from its header', () => {
    using made = trained(1, 0);
    saveTraining(file('c'), made.network, made.optimizer, position, info);
    saveNetwork(file('d'), made.network, { ...info, epoch: 3 });
    expect(checkpointNetwork(file('c'))).toEqual(info.network);
    expect(checkpointNetwork(file('d'))).toEqual(info.network);
    expect([...readSafetensors(file('d')).tensors.keys()]).toEqual([...made.network.stateDict().keys()]);
  });

  test('is nothing for files that were not written here', () => {
    writeSafetensors(file('e'), new Map(), { format: 'pt', network: '{}' });
    expect(checkpointNetwork(file('e'))).toBeNull();
    for (const text of ['', 'short', 'PK\x03\x04 and then some', 'these are no weights at all']) {
      writeFileSync(file('f'), text);
      expect(checkpointNetwork(file('f'))).toBeNull();
    }
  });
});

describe('a file that cannot be continued from is refused, naming it', () => {
  /** Save, change what was saved, load. */
  const loading = (change: (tensors: StoredTensors, metadata: Record<string, string>) => void): (() => unknown) => {
    return () => {
      using made = trained(1, 1);
      saveTraining(file('bad'), made.network, made.optimizer, position, info);
      const { tensors, metadata } = readSafetensors(file('bad'));
      change(tensors, metadata);
      writeSafetensors(file('bad'), tensors, metadata);
      loadTraining(file('bad'), made.network, made.optimizer);
    };
  };
  const withPosition = (change: object): (() => unknown) =>
    loading((_, metadata) => {
      metadata.position = JSON.stringify({ ...position, ...change });
    });

  test.each<[string, () => unknown, RegExp]>([
    [
      'a network alone',
      loading((_, metadata) => {
        delete metadata.position;
      }),
      /bad is not a checkpoint to continue from: it has no position/,
    ],
    [
      'no step count',
      loading((_, metadata) => {
        delete metadata.optimizer_steps;
      }),
      /it has no optimizer_steps/,
    ],
    [
      'a step count that is none',
      loading((_, metadata) => {
        metadata.optimizer_steps = 'many';
      }),
      /bad is damaged: its optimizer_steps is not valid JSON/,
    ],
    [
      'half a step',
      loading((_, metadata) => {
        metadata.optimizer_steps = '1.5';
      }),
      /bad is damaged: optimizer_steps: /,
    ],
    [
      'a position that is no JSON',
      loading((_, metadata) => {
        metadata.position = '{"epoch": 1';
      }),
      /bad is damaged: its position is not valid JSON/,
    ],
    ['a negative epoch', withPosition({ epoch: -1 }), /bad is damaged: position\.epoch: /],
    ['a step that is no number', withPosition({ step: '7' }), /bad is damaged: position\.step: /],
    ['no sums', withPosition({ sums: undefined }), /bad is damaged: position\.sums: /],
    [
      'a sum that is no number',
      withPosition({ sums: { ...position.sums, terms: { ce: 'x' } } }),
      /position\.sums\.terms\.ce: /,
    ],
    ['a best epoch without a score', withPosition({ best: { epoch: 1 } }), /position\.best\.top1: /],
    [
      'no momentum for a parameter',
      loading((tensors) => {
        tensors.delete('optimizer.momentum.layer1.0.bn1.weight');
      }),
      /bad: the checkpoint has no momentum for layer1\.0\.bn1\.weight/,
    ],
    [
      'momentum of another shape',
      loading((tensors) => {
        tensors.set('optimizer.momentum.fc.bias', tensors.get('fc.weight')!);
      }),
      /bad: the momentum of fc\.bias is \[4, 64\], the parameter is \[4\]/,
    ],
    [
      'a weight too few',
      loading((tensors) => {
        tensors.delete('fc.bias');
      }),
      /bad do not fit this ResNet:\n {2}missing from the file \(1\): fc\.bias/,
    ],
  ])('%s', (_what, run, message) => {
    expect(run).toThrow(message);
    expect(run).toThrow(UserError);
  });

  test('one that was cut short anywhere', () => {
    using made = trained(1, 1);
    saveTraining(file('whole'), made.network, made.optimizer, position, info);
    const bytes = readFileSync(file('whole'));
    for (const part of [0, 0.0001, 0.01, 0.3, 0.9, 0.99999]) {
      writeFileSync(file('cut'), bytes);
      truncateSync(file('cut'), Math.floor(bytes.length * part));
      expect(() => loadTraining(file('cut'), made.network, made.optimizer)).toThrow(
        /cut is not a valid safetensors file/,
      );
    }
  });
});
