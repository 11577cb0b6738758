import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { lossDefinitions } from '../../distill/losses/index.ts';
import { toldParts } from './parts.ts';

const example = (name: string): string => fileURLToPath(new URL(`../../../examples/${name}`, import.meta.url));

test('every loss, augmentation and criterion is told with its options and who proposed it', async () => {
  const losses = await toldParts('loss', []);
  expect(losses.map(({ name }) => name)).toEqual(lossDefinitions.map(({ name }) => name));
  const schemes = await toldParts('augmentation', []);
  expect(schemes.map(({ name }) => name)).toContain('random-erasing');
  const criteria = await toldParts('criterion', []);
  expect(criteria.map(({ name }) => name)).toEqual([
    'kl',
    'teacher-entropy',
    'student-entropy',
    'dissimilarity',
    'random',
  ]);
  for (const part of [...losses, ...schemes, ...criteria]) {
    expect(part.source, part.name).not.toBe('');
    for (const { description, rule } of part.options) expect(`${description}${rule}`.length).toBeGreaterThan(10);
  }
  const cutmix = schemes.find(({ name }) => name === 'cutmix');
  expect(cutmix?.options.map((option) => [option.name, option.default])).toEqual([
    ['alpha', 1],
    ['probability', 1],
  ]);
});

test('those of a file too; a misspelt name names the nearest', async () => {
  const [own] = await toldParts('loss', [example('my-loss.ts')]);
  expect(own).toMatchObject({ name: 'logit-mse', options: [{ name: 'scale', default: 0.1, rule: 'a number > 0' }] });
  await expect(toldParts('criterion', ['kll'])).rejects.toThrow("did you mean 'kl'?");
});
