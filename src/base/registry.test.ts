import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { UserError } from './errors.ts';
import { objectReference, partLabel, Registry } from './registry.ts';

const parts = () =>
  new Registry<{ name: string; aliases?: string[] }>('loss', [{ name: 'kd', aliases: ['hinton'] }, { name: 'crd' }], {
    alike: (name) => name.toLowerCase(),
  });

test('names and aliases, as they are alike; one spelling of each', () => {
  const registry = parts();
  expect(registry.get('KD')).toBe(registry.list[0]);
  expect(registry.canonical('Hinton')).toBe('kd');
  expect(registry.identity('hinton')).toEqual({ name: 'kd' });
  expect(() => registry.get('cdr')).toThrow("unknown loss 'cdr'; did you mean 'crd'?");
});

test('a part of the user’s is found by the path of its file, however that is written', () => {
  const registry = parts();
  const own = { name: 'mine' };
  expect(() => registry.get('./mine.ts')).toThrow('the loss in ./mine.ts is not loaded');
  registry.add('./mine.ts', { part: own, sha256: 'abc' });
  expect(registry.get(resolve('mine.ts'))).toBe(own);
  expect(registry.canonical('./mine.ts')).toBe('./mine.ts');
  expect(registry.identity('./mine.ts')).toEqual({ name: 'mine.ts', sha256: 'abc' });
  expect(registry.own('kd')).toBeUndefined();
});

test('a part that was given as an object is known for as long as the process lasts', () => {
  const registry = parts();
  const reference = objectReference('mine');
  expect(partLabel(reference)).toBe('mine');
  expect(() => registry.get(reference)).toThrow(UserError);
  expect(() => registry.get(reference)).toThrow('the loss mine was given as an object, not by a file');
  registry.add(reference, { part: { name: 'mine' }, sha256: 'abc' });
  expect(registry.get(reference).name).toBe('mine');
});
