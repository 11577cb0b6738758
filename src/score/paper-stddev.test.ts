import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { because, sharedPath } from '../../test/shared.ts';
import { kendall, pearson, spearman } from '../base/correlation.ts';
import { modelNames } from '../models/index.ts';
import { paperColumn, paperColumns } from './paper-stddev.ts';

const source = sharedPath('paper.md');
const datasets: Readonly<Record<string, string>> = {
  C100: 'cifar100',
  Tiny: 'tiny-imagenet',
  ImageNet: 'imagenet',
  ImageNet100: 'imagenet100',
};

/** The tables of the paper's section on T. stddev: for each pair of networks its cells, row by row. */
function readTables(text: string): Map<string, string[]> {
  const section = text.slice(text.indexOf('### 3.6'), text.indexOf('### 3.7'));
  const columns = new Map<string, string[]>();
  let names: string[] = [];
  for (const line of section.split('\n').filter((row) => row.startsWith('|') && !row.includes('---'))) {
    const [first = '', ...cells] = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
    if (first === 'DA') names = cells;
    else for (const [i, cell] of cells.entries()) columns.set(names[i]!, [...(columns.get(names[i]!) ?? []), cell]);
  }
  return columns;
}

describe("the paper's T. stddev", () => {
  test('ten pairs, nine augmentations each, teachers that are known here', () => {
    expect(paperColumns).toHaveLength(10);
    for (const { teacher, student, tStddev, studentLoss } of paperColumns) {
      expect(modelNames).toContain(teacher);
      expect(modelNames).toContain(student);
      expect(tStddev).toHaveLength(9);
      expect(studentLoss).toHaveLength(9);
    }
    expect(paperColumn('resnet56', 'cifar100')?.student).toBe('resnet20');
    expect(paperColumn('resnet20', 'cifar100')).toBeUndefined();
    expect(paperColumn('resnet56', 'cifar10')).toBeUndefined();
  });

  test.skipIf(!source)(`every point, and the correlations printed in the plots${because(source, 'paper.md')}`, () => {
    const tables = readTables(readFileSync(source!, 'utf8'));
    expect(tables.size).toBe(paperColumns.length);
    for (const [heading, cells] of tables) {
      const [, teacher, student, data] = /^(\S+)\/(\S+) (\S+)$/.exec(heading)!;
      const column = paperColumns.find(
        (own) => own.teacher === teacher && own.student === student && own.data === datasets[data!],
      )!;
      expect(column, heading).toBeDefined();
      const points = cells.slice(0, 9).map((cell) => cell.split(' / ').map(Number));
      expect(column.tStddev).toEqual(points.map(([x]) => x));
      expect(column.studentLoss).toEqual(points.map(([, y]) => y));
      const printed = cells.slice(9).map((cell) => Number(cell.split(' ')[0]));
      const found = [pearson, spearman, kendall].map((of) => of(column.tStddev, column.studentLoss).value);
      // Points are good to four digits, which a tie in the ranks can turn on.
      for (const [i, value] of found.entries())
        expect(Math.abs(value - printed[i]!), `${heading} ${i}`).toBeLessThan(0.02);
    }
  });
});
