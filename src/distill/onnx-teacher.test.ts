import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fillModule } from '../../test/filler.ts';
import { expectNoLeak } from '../../test/torch.ts';
import { readOnnxInfo } from '../formats/index.ts';
import { decodeModel, encodeModel, type OnnxModel } from '../formats/onnx-schema.ts';
import { createModel, type ImageModel } from '../models/index.ts';
import { Linear, Module } from '../nn/index.ts';
import { exportOnnx } from '../onnx/index.ts';
import { noGrad, ops, type Tensor, tensor, tidy } from '../torch/index.ts';
import { OnnxTeacher, type OnnxTeacherOptions, pixelNormalization } from './onnx-teacher.ts';

const normalization = { mean: [0.5071, 0.4866, 0.4409], std: [0.2673, 0.2564, 0.2762] };
const same: OnnxTeacherOptions = {
  classes: 10,
  imageSize: 16,
  normalization,
  inputNormalization: normalization,
  threads: 1,
};

let folder: string;
let network: ImageModel;
let bytes: Uint8Array;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'thrive-onnx-'));
  network = fillModule(createModel('resnet8', { classes: 10, seed: 1 })).eval();
  bytes = exportOnnx(network, { imageSize: 16 });
});
afterAll(() => {
  network.dispose();
  rmSync(folder, { recursive: true, force: true });
});

let files = 0;
function write(content: Uint8Array): string {
  const path = join(folder, `${files++}.onnx`);
  writeFileSync(path, content);
  return path;
}
/** The model with something about it changed. */
function changed(change: (model: OnnxModel) => void): string {
  const model = decodeModel(bytes);
  change(model);
  return write(encodeModel(model));
}
const open = (path: string, options: Partial<OnnxTeacherOptions> = {}): Promise<OnnxTeacher> =>
  OnnxTeacher.open(path, readOnnxInfo(path), { ...same, ...options });

/** Images whose values before normalisation are whole pixels. */
const makeImages = (count: number): Tensor =>
  tidy(() => {
    const pixels = tensor(
      Float32Array.from({ length: count * 3 * 256 }, (_, i) => (i * 7919) % 256),
      { shape: [count, 3, 16, 16] },
    );
    const each = (values: number[]): Tensor => tensor(values).view([1, 3, 1, 1]);
    return pixels.div(255).sub(each(normalization.mean)).div(each(normalization.std));
  });

const logitsOf = (model: Module, images: Tensor): Float32Array =>
  tidy(() => noGrad(() => model.forward(images).data() as Float32Array));

describe('logits', () => {
  test("are the network's own, for any batch, and need no gradient", async () => {
    const teacher = await open(write(bytes));
    for (const count of [1, 5, 2]) {
      const images = makeImages(count);
      const logits = teacher.logits(images);
      expect(logits.shape).toEqual([count, 10]);
      expect(logits.requiresGrad).toBe(false);
      expect(logits).toBeAllclose(logitsOf(network, images), { rtol: 1e-4, atol: 1e-4 });
      logits.dispose();
      images.dispose();
    }
    const images = makeImages(2);
    expectNoLeak(() => teacher.logits(images).dispose());
    images.dispose();
    teacher.dispose();
  });

  test('of a teacher that takes pixels from 0 to 255', async () => {
    const path = write(exportOnnx(network, { imageSize: 16, normalize: normalization }));
    const teacher = await open(path, { normalization: pixelNormalization });
    const images = makeImages(4);
    const logits = teacher.logits(images);
    expect(logits).toBeAllclose(logitsOf(network, images), { rtol: 1e-3, atol: 1e-3 });
    logits.dispose();
    images.dispose();
    teacher.dispose();
  });

  test('of images in channels-last memory', async () => {
    const teacher = await open(write(bytes));
    const images = makeImages(3);
    const last = images.contiguous('channelsLast');
    const logits = teacher.logits(last);
    expect(logits).toBeAllclose(logitsOf(network, images), { rtol: 1e-4, atol: 1e-4 });
    for (const t of [logits, last, images]) t.dispose();
    teacher.dispose();
  });

  test('a batch it cannot run is an error with its reason, and the teacher goes on', async () => {
    const teacher = await open(write(bytes));
    const wrong = tensor(new Float32Array(3 * 20 * 20), { shape: [1, 3, 20, 20] });
    expect(() => teacher.logits(wrong)).toThrow(
      /onnxruntime fails to run .*\.onnx on a batch \[1, 3, 20, 20\]: .*(dimension|16)/s,
    );
    const images = makeImages(1);
    expect(teacher.logits(images).shape).toEqual([1, 10]);
    teacher.dispose();
    teacher.dispose();
    expect(() => teacher.logits(images)).toThrow(/was disposed/);
  });
});

describe('what does not fit is refused', () => {
  const input = (model: OnnxModel) => model.graph!.input![0]!.type!.tensor_type!;
  const output = (model: OnnxModel) => model.graph!.output![0]!.type!.tensor_type!;
  const sizes = (...values: (number | string)[]) => ({
    dim: values.map((value) => (typeof value === 'number' ? { dim_value: value } : { dim_param: value })),
  });

  test.each<[string, (model: OnnxModel) => void, RegExp]>([
    [
      'another image size',
      (m) => {
        input(m).shape = sizes('n', 3, 224, 224);
      },
      /takes float32 \[n, 3, 224, 224\]; the data's images are 16 x 16/,
    ],
    [
      'grey images',
      (m) => {
        input(m).shape = sizes('n', 1, 16, 16);
      },
      /1 channels; the images here have 3/,
    ],
    [
      'channels last',
      (m) => {
        input(m).shape = sizes('n', 16, 16, 3);
      },
      /channels last/,
    ],
    [
      'vectors',
      (m) => {
        input(m).shape = sizes('n', 768);
      },
      /takes float32 \[n, 768\]; a teacher takes \[batch, 3, height, width\]/,
    ],
    [
      'a fixed batch',
      (m) => {
        input(m).shape = sizes(1, 3, 16, 16);
      },
      /batches of 1 only/,
    ],
    [
      'bytes',
      (m) => {
        input(m).elem_type = 2;
      },
      /takes uint8 .*a teacher takes float32/,
    ],
    [
      'other classes',
      (m) => {
        output(m).shape = sizes('n', 1000);
      },
      /was trained for 1000 classes, the data has 10/,
    ],
    [
      'maps',
      (m) => {
        output(m).shape = sizes('n', 10, 4, 4);
      },
      /gives logits: float32 \[n, 10, 4, 4\]; a teacher gives float32 logits/,
    ],
    [
      'whole numbers',
      (m) => {
        output(m).elem_type = 7;
      },
      /gives logits: int64/,
    ],
    [
      'no input',
      (m) => {
        m.graph!.input = [];
      },
      /takes 0 inputs/,
    ],
    [
      'two outputs',
      (m) => m.graph!.output!.push({ ...m.graph!.output![0], name: 'aux' }),
      /which of these are the logits cannot be told/,
    ],
    [
      'weights elsewhere',
      (m) => {
        m.graph!.initializer![0]!.external_data = [{ key: 'location', value: 'w.bin' }];
      },
      /keeps weights in other files \(w\.bin\)/,
    ],
    [
      'an unknown operator',
      (m) => {
        m.graph!.node![0]!.op_type = 'Konv';
      },
      /onnxruntime cannot load .*Konv/,
    ],
  ])('%s', async (_name, change, message) => {
    await expect(open(changed(change))).rejects.toThrow(message);
  });

  test('of another type: the hint is about the type, not the batch', async () => {
    const path = changed((model) => {
      input(model).elem_type = 11;
    });
    await expect(open(path)).rejects.toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/takes float64 .*a teacher takes float32/),
        hint: expect.stringMatching(/^export it again in float32/),
      }),
    );
  });

  test('classes that the file does not tell, by trying', async () => {
    const path = changed((model) => delete output(model).shape);
    await expect(open(path, { classes: 7 })).rejects.toThrow(
      /makes \[2, 10\] of 2 images: it was trained for 10 classes; the data has 7/,
    );
    (await open(path)).dispose();
  });

  test('an open batch may be written as -1', async () => {
    const path = changed((model) => {
      input(model).shape = sizes(-1, 3, 16, 16);
      output(model).shape = sizes(-1, 10);
    });
    (await open(path, { batchSizes: [5, 3] })).dispose();
  });

  test('probabilities', async () => {
    class Probabilities extends Module {
      readonly inside = network;
      forward(images: Tensor): Tensor {
        return tidy(() => ops.softmax(this.inside.forward(images), 1));
      }
    }
    await expect(open(write(exportOnnx(new Probabilities(), { imageSize: 16 })))).rejects.toThrow(
      /gives probabilities/,
    );
  });

  test('what is no model', async () => {
    await expect(async () => open(write(new TextEncoder().encode('not a model')))).rejects.toThrow(
      /is not an ONNX model/,
    );
    await expect(async () => open(join(folder, 'nowhere.onnx'))).rejects.toThrow(/cannot read .*nowhere\.onnx/);
  });

  test('a model cut short', async () => {
    for (const share of [0.1, 0.5, 0.99]) {
      const cut = write(bytes.slice(0, Math.floor(bytes.length * share)));
      await expect(async () => open(cut)).rejects.toThrow(/is not an ONNX model, or is damaged/);
    }
  });
});

test('two teachers at once do not disturb each other', async () => {
  class Flat extends Module {
    readonly fc = new Linear(3, 10);
    forward(images: Tensor): Tensor {
      return tidy(() => this.fc.forward(images.mean([2, 3])));
    }
  }
  const flat = fillModule(new Flat()).eval();
  const [a, b] = [await open(write(bytes)), await open(write(exportOnnx(flat, { imageSize: 16 })))];
  const images = makeImages(2);
  for (let i = 0; i < 3; i++) {
    expect(a.logits(images)).toBeAllclose(logitsOf(network, images), { rtol: 1e-4, atol: 1e-4 });
    expect(b.logits(images)).toBeAllclose(logitsOf(flat, images), { rtol: 1e-4, atol: 1e-5 });
  }
  a.dispose();
  b.dispose();
});
