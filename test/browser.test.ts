import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readFacts } from '../examples/browser/metadata.js';
import { serve } from '../examples/browser/serve.mjs';
import { normalizeImages } from '../src/augment/index.ts';
import { loadCifar } from '../src/data/cifar.ts';
import { CIFAR100 } from '../src/data/datasets/cifar100.ts';
import { datasetInfo, generateSynthetic, normalizationOf } from '../src/data/index.ts';
import { createModel, type ImageModel } from '../src/models/index.ts';
import { loadNetwork } from '../src/networks/load-network.ts';
import { toMetadata } from '../src/networks/onnx-metadata.ts';
import { exportOnnx } from '../src/onnx/index.ts';
import { encodePng } from '../src/plot/png.ts';
import { noGrad, ops, tensor, tidy } from '../src/torch/index.ts';
import { chromium, type Page, withPage } from './chromium.ts';
import { fillModule } from './filler.ts';
import { because, dataDir, sharedPath } from './shared.ts';

const info = datasetInfo('cifar100');
const normalization = normalizationOf(info);
let folder: string;
let network: ImageModel;
let model: string;

/** The network as a file, with what `thrive export` says in it. */
function write(name: string, takesPixels: boolean): string {
  const facts = { model, data: 'cifar100', classNames: info.classNames, imageSize: 32, normalization };
  const metadata = toMetadata({ ...facts, takesPixels, top1: 60.5 });
  const bytes = exportOnnx(network, { imageSize: 32, metadata, normalize: takesPixels ? normalization : undefined });
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** An image as planes of 32 by 32 bytes: real where there are some. */
function image(): Uint8Array {
  const dir = dataDir();
  const set = dir ? loadCifar(CIFAR100, 'test', dir) : generateSynthetic('test', 1);
  return set.images.slice(0, 3072);
}

/** Its PNG, with `border` pixels of black at the left and right, which the page cuts off. */
function png(planes: Uint8Array, border = 0): string {
  const width = 32 + 2 * border;
  const data = new Uint8Array(3 * width * 32);
  for (let y = 0; y < 32; y++) {
    for (let x = 0; x < 32; x++) {
      for (let c = 0; c < 3; c++) data[3 * (y * width + x + border) + c] = planes[c * 1024 + y * 32 + x]!;
    }
  }
  return encodePng({ data, width, height: 32 }).toString('base64');
}

/** The five likeliest classes by our own network. */
function expectedTop(planes: Uint8Array): { name: string; share: number }[] {
  const shares = tidy(() =>
    noGrad(() => {
      const images = normalizeImages(tensor(planes, { shape: [1, 3, 32, 32] }), normalization);
      return [...(ops.softmax(network.forward(images), 1).data() as Float32Array)];
    }),
  );
  return shares
    .map((share, i) => ({ name: info.classNames[i]!.replaceAll('_', ' '), share }))
    .sort((a, b) => b.share - a.share)
    .slice(0, 5);
}

const dropped = (base64: string, name: string): string => `(() => {
  const bytes = Uint8Array.from(atob('${base64}'), (c) => c.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], '${name}'));
  document.querySelector('#drop').dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
})()`;
const state = (name: string): string => `document.body?.dataset.state === '${name}'`;
const shown = (page: Page): Promise<{ name: string; share: number }[]> =>
  page.evaluate(
    `[...document.querySelectorAll('li')].map((row) => ({ name: row.querySelector('.name').textContent, share: Number(row.dataset.share) }))`,
  );
const text = (page: Page, id: string): Promise<string> => page.evaluate(`document.getElementById('${id}').textContent`);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'thrive-browser-'));
  // A trained network where there is one: its classes are far apart.
  const trained = sharedPath('checkpoints/resnet56-cifar100.pth');
  model = trained ? 'resnet56' : 'resnet8';
  const options = { model, classes: 100, imageSize: 32, modelSetting: 'model' };
  network = trained
    ? (await loadNetwork(trained, options)).network
    : fillModule(createModel(model, { classes: 100, seed: 1 }));
  network.eval();
});
afterAll(() => {
  network.dispose();
  rmSync(folder, { recursive: true, force: true });
});

async function withServer<T>(model: string, fn: (address: string) => Promise<T>): Promise<T> {
  const server = (await serve(model)) as Server;
  try {
    return await fn(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

describe.skipIf(!chromium)(`the page in a browser${because(chromium, 'chromium')}`, () => {
  test.each([
    ['pixels', true],
    ['images it normalises itself', false],
  ])('a model that takes %s: the classes of a dropped image are ours', async (_what, takesPixels) => {
    const planes = image();
    await withServer(write('model.onnx', takesPixels), (address) =>
      withPage(async (page) => {
        await page.open(address);
        await page.until(state('ready'));
        expect(await text(page, 'model')).toMatch(
          /^resnet(8|56), \d\.\d MB, trained on cifar100: 100 classes, 32 by 32 pixels, 60\.5 % right/,
        );
        await page.evaluate(dropped(png(planes, takesPixels ? 0 : 16), 'image.png'));
        await page.until(state('done'));
        const [got, expected] = [await shown(page), expectedTop(planes)];
        expect(got.map(({ name }) => name)).toEqual(expected.map(({ name }) => name));
        for (const [i, { share }] of got.entries()) expect(share).toBeCloseTo(expected[i]!.share, 4);

        await page.evaluate(dropped(Buffer.from('no image').toString('base64'), 'note.txt'));
        await page.until(state('error'));
        expect(await text(page, 'status')).toMatch(/no image/);
        expect(page.log).toEqual([]);
        if (process.env.THRIVE_SCREENSHOTS) {
          await page.evaluate(dropped(png(planes), 'image.png'));
          await page.until(state('done'));
          if (!takesPixels) await page.dark();
          writeFileSync(
            join(process.env.THRIVE_SCREENSHOTS, `browser-${takesPixels ? 'light' : 'dark'}.png`),
            await page.screenshot(),
          );
        }
      }),
    );
  });

  test('without a model it says what to do, and takes one that is dropped', async () => {
    await withServer(join(folder, 'nowhere.onnx'), (address) =>
      withPage(async (page) => {
        await page.open(address);
        await page.until(state('error'));
        expect(await text(page, 'status')).toMatch(/the server has no model; drop an \.onnx file/);
        const bytes = Buffer.from(exportOnnx(network, { imageSize: 32 })).toString('base64');
        await page.evaluate(dropped(bytes, 'bare.onnx'));
        await page.until(`document.getElementById('status').textContent.includes('thrive export')`);
      }),
    );
  });
});

test('the page reads of a file what was written into it', () => {
  const facts = { model: 'my-net.ts', data: 'synthetic', classNames: ['a b', 'ü'], imageSize: 32, normalization };
  const bytes = exportOnnx(network, { imageSize: 32, metadata: toMetadata({ ...facts, takesPixels: false }) });
  const { imageSize, model: name, ...rest } = facts;
  expect(readFacts(bytes)).toEqual({ ...rest, name, size: imageSize, top1: null });
  const pixels = exportOnnx(network, {
    imageSize: 32,
    metadata: toMetadata({ ...facts, takesPixels: true, top1: 12.5 }),
  });
  expect(readFacts(pixels)).toMatchObject({ normalization: null, top1: 12.5 });
  for (const cut of [0, 1, 10, 1000]) expect(() => readFacts(bytes.slice(0, cut))).toThrow();
});

test('the server hands out the page, the runtime and the model, and nothing else', async () => {
  await withServer(write('served.onnx', true), async (address) => {
    const get = async (path: string) => (await fetch(`${address}${path}`)).status;
    for (const path of ['/', '/app.js', '/style.css', '/model.onnx', '/ort/ort.wasm.min.mjs'])
      expect(await get(path)).toBe(200);
    for (const path of [
      '/serve.mjs',
      '/../../package.json',
      '/ort/..%2f..%2fpackage.json',
      '/ort/%2e%2e/package.json',
      '/x',
    ]) {
      expect(await get(path)).toBe(404);
    }
  });
});
