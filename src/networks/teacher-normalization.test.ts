import { expect, test } from 'vitest';
import { normalizationSchema, settingNormalization, teacherNormalization } from './teacher-normalization.ts';

type Three = [number, number, number];
const data = { mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4] };
const other = { mean: [0.1, 0.1, 0.1] as Three, std: [1, 1, 1] as Three };
const of = (text: string) => settingNormalization(text, data, '--normalization');

test.each([
  'mean=0.5071,0.4867,0.4408;std=1,1,1',
  'mean=0.5071,0.4867,0.4408;std=1',
  'mean=0.5071, 0.4867, 0.4408; std=1',
  'std: 1; mean: [0.5071, 0.4867, 0.4408]',
  'mean=0.5071/0.4867/0.4408 std=1/1/1',
])('explicit values: %s', (text) => {
  expect(of(text)).toEqual({ mean: [0.5071, 0.4867, 0.4408], std: [1, 1, 1] });
  expect(normalizationSchema.safeParse(text).success).toBe(true);
});

test('names', () => {
  expect(of('same')).toBe(data);
  expect(of('imagenet').mean).toEqual([0.485, 0.456, 0.406]);
});

test.each([
  ['imagnet', /unknown normalization 'imagnet'; did you mean 'imagenet'.*or 'mean=/],
  ['mean=0.5', /is no normalization/],
  ['mean=0.5,0.5;std=1', /is no normalization: 'mean=0\.5,0\.5;std=1'|is no normalization/],
  ['mean=0.5;std=0', /std: must be > 0/],
  ['mean=129,124,112;std=68,65,70', /scale 0 to 255; divide by 255/],
  ['mean=a;std=b', /is no normalization/],
  ['', /unknown normalization/],
])('%s is refused', (text, message) => {
  expect(() => of(text)).toThrow(message);
  expect(normalizationSchema.safeParse(text).success).toBe(false);
});

test('what a file says goes first; what it assumed gives way', () => {
  const of = (...given: Parameters<typeof teacherNormalization>) => teacherNormalization(...given).normalization;
  expect(of('x', { normalization: other }, undefined, data)).toBe(other);
  expect(of('x', { normalization: other }, other, data)).toEqual(other);
  expect(() => of('x', { normalization: other }, 'unit', data)).toThrow(
    /x says itself .*mean 0\.1, 0\.1, 0\.1, std 1, 1, 1/,
  );
  expect(of('x', { normalization: data, normalizationAssumed: true }, other, data)).toBe(other);
  const assumed = teacherNormalization('x', { normalization: data, normalizationAssumed: true }, undefined, data);
  expect(assumed).toEqual({ normalization: data });
});

test('where nobody says it, the dataset’s, with a note', () => {
  const { normalization, note } = teacherNormalization('x', null, undefined, data, '--normalization');
  expect(normalization).toBe(data);
  expect(note).toMatch(/x does not say .* mean 0\.5, 0\.4, 0\.3, std 0\.2, 0\.3, 0\.4 \(--normalization\)/);
  expect(teacherNormalization('x', null, other, data)).toEqual({ normalization: other });
});
