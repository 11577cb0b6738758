import { expect, test } from 'vitest';
import { UserError } from '../base/errors.ts';
import { type DatasetDefinition, defineDataset, type LoadedImages } from './dataset.ts';

const two = (): LoadedImages => ({ images: new Uint8Array(2 * 3 * 8 * 8), labels: [1, 0] });
const definition = (change: Partial<DatasetDefinition> = {}): DatasetDefinition => ({
  name: 'mine',
  classNames: ['cat', 'dog'],
  size: 8,
  mean: [0.5, 0.5, 0.5],
  std: [0.2, 0.2, 0.2],
  load: two,
  ...change,
});
const loading = (loaded: unknown) => () =>
  defineDataset(definition({ load: () => loaded as LoadedImages })).load({ split: 'train' });

test('what is left out follows from the size, and no policy from the name', () => {
  const info = defineDataset(definition({ name: 'cifar-like' }));
  expect(info).toMatchObject({ title: 'cifar-like', classes: 2, padding: 1, flip: true, cutout: 2 });
  expect(info.policy).toBeUndefined();
  expect(info.folder('train')).toBeUndefined();
  expect(defineDataset(definition({ padding: 0, flip: false, cutout: 3, policy: 'cifar10' }))).toMatchObject({
    padding: 0,
    flip: false,
    cutout: 3,
    policy: 'cifar10',
  });
});

test('images come out as those of every reader, at once or later', async () => {
  const expected = { count: 2, channels: 3, height: 8, width: 8, classNames: ['cat', 'dog'] };
  const now = defineDataset(definition()).load({ split: 'train' });
  expect(now).toMatchObject(expected);
  const later = await defineDataset(definition({ load: async () => two() })).load({ split: 'test' });
  expect(later).toMatchObject({ ...expected, labels: Int32Array.of(1, 0) });
});

test.each([
  ['a name', { name: 'my data' }, 'its name is a word'],
  ['class names', { classNames: ['one'] }, 'classNames lists'],
  ['a size', { size: 2.5 }, 'not 2.5'],
  ['a mean', { mean: [0.5] }, 'mean is three numbers'],
  ['a deviation', { std: [0.1, 0, 0.1] }, 'std is three numbers on the scale 0 to 1, above 0'],
  ['a load', { load: undefined }, 'it has no load'],
])('%s that does not fit is refused', (_what, change, message) => {
  expect(() => defineDataset(definition(change as never))).toThrow(UserError);
  expect(() => defineDataset(definition(change as never))).toThrow(message);
});

test('images and labels that do not fit are refused', async () => {
  expect(loading(undefined)).toThrow("the dataset mine: load({ split: 'train' }) must give its images as a Uint8Array");
  expect(loading({ images: new Float32Array(384), labels: [0, 1] })).toThrow('as a Uint8Array');
  expect(loading({ images: new Uint8Array(384) })).toThrow('labels as a list of numbers');
  expect(loading({ images: new Uint8Array(0), labels: [] })).toThrow('gives no images');
  expect(loading({ images: new Uint8Array(383), labels: [0, 1] })).toThrow(
    'gives 383 bytes for 2 images; 2 · 3 · 8 · 8 is 384',
  );
  expect(loading({ ...two(), labels: [0, 2] })).toThrow('gives image 1 the label 2; classes are 0 to 1');
  expect(loading({ ...two(), labels: [0, 0.5] })).toThrow('the label 0.5');
  await expect(
    defineDataset(definition({ load: async () => ({ ...two(), labels: [0, -1] }) })).load({ split: 'test' }),
  ).rejects.toThrow('label -1');
});
