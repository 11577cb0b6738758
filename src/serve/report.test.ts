import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compareProject } from '../compare/compare.ts';
import { makeReport } from './report.ts';

const real = join(import.meta.dirname, '../../docs/results');
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'thrive-report-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('all of the results: every row with its numbers, curves, notes and settings; no script, nothing from elsewhere, under 1 MB', () => {
  const html = makeReport([join(real, 'small')], { score: join(real, 'score.json') });
  expect(Buffer.byteLength(html)).toBeLessThan(1e6);
  expect(html).not.toMatch(/<script|\son\w+=|(?:src|href)="(?!data:)/i);
  const [group] = compareProject([join(real, 'small')]).groups;
  for (const { label, top1 } of group!.comparison.rows) {
    expect(html).toContain(label);
    expect(html).toContain(top1.mean.toFixed(2));
  }
  expect(html.match(/<svg/g)).toHaveLength(3);
  expect(html).toContain('Not compared like with like');
  expect(html).toContain('T. stddev and test loss');
  expect(html).toContain('thrive distill --config');
  expect(html).toContain('<th scope="row">temperature</th>');
});

test('names and settings are text, and images of errors are bytes', () => {
  const path = join(folder, '<img src=x onerror=alert(1)>');
  cpSync(join(real, 'small/ce-20-s1'), path, { recursive: true });
  const config = JSON.parse(readFileSync(join(path, 'config.json'), 'utf8')) as { config: object };
  writeFileSync(
    join(path, 'config.json'),
    JSON.stringify({ ...config, config: { ...config.config, note: '<script>x</script>' } }),
  );
  const worst = [{ index: 0, label: 0, student: 1, teacher: null, loss: 1, png: '"><script>' }, { index: 1, label: 0, student: 1, teacher: null, loss: 1, png: 'AAAA' }]; // biome-ignore format: short
  writeFileSync(join(path, 'errors.json'), JSON.stringify({ classNames: ['<b>', 'c'], worst }));
  const html = makeReport([folder]);
  expect(html).not.toMatch(/<script|<img src=x|<b>/);
  expect(html.match(/<img /g)).toHaveLength(1);
});

test('what was found of errors is left out rather than make it too large', () => {
  const path = join(folder, 'large');
  mkdirSync(path);
  cpSync(join(real, 'small/ce-40-s1'), path, { recursive: true });
  const png = 'A'.repeat(200_000);
  const worst = Array.from({ length: 12 }, (_, index) => ({
    index,
    label: 0,
    student: 1,
    teacher: null,
    loss: 1,
    png,
  }));
  writeFileSync(join(path, 'errors.json'), JSON.stringify({ classNames: ['a', 'b'], worst }));
  expect(Buffer.byteLength(makeReport([folder]))).toBeLessThan(1e6);
});
