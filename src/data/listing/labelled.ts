/**
 * @file A list of images and their classes: CSV with a header (`path,label`, and `split` if wanted), or JSON lines of the same keys.
 * Paths are relative to the list. Classes are the labels in order of name; whole numbers in order of size.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, extname, resolve } from 'node:path';
import { errorMessage, UserError } from '../../base/errors.ts';
import { withFileErrors } from '../../base/files.ts';
import { byName, type ImageList, type ImageListing, nothingIgnored, splitList, sublist } from './listing.ts';

interface Row {
  path: string;
  label: string;
  split: string;
}

const pathKeys = ['path', 'file', 'filename', 'file_name', 'image'];
const labelKeys = ['label', 'class'];

/** One line of CSV (RFC 4180: quotes doubled inside quotes). */
function cells(line: string): string[] {
  const found: string[] = [];
  const cell = /\s*(?:"((?:[^"]|"")*)"|([^,]*))\s*(?:,|$)/y;
  while (cell.lastIndex < line.length) {
    const match = cell.exec(line);
    if (!match) break;
    found.push(match[1] !== undefined ? match[1].replaceAll('""', '"') : match[2]!.trim());
  }
  if (line.endsWith(',')) found.push('');
  return found;
}

function readCsv(text: string, refuse: (line: number, what: string) => UserError): Row[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const header = cells(lines[0] ?? '').map((name) => name.toLowerCase());
  const column = (names: readonly string[]): number => header.findIndex((name) => names.includes(name));
  const [path, label, split] = [column(pathKeys), column(labelKeys), column(['split'])];
  if (path < 0 || label < 0) throw refuse(1, 'the header must name the columns path and label');
  const rows: Row[] = [];
  lines.slice(1).forEach((line, i) => {
    if (line.trim() === '') return;
    const values = cells(line);
    if (values.length !== header.length)
      throw refuse(i + 2, `${values.length} values where the header has ${header.length}`);
    rows.push({ path: values[path]!, label: values[label]!, split: values[split] ?? '' });
  });
  return rows;
}

function readJsonLines(text: string, refuse: (line: number, what: string) => UserError): Row[] {
  return text.split(/\r?\n/).flatMap((line, i) => {
    if (line.trim() === '') return [];
    let value: Record<string, unknown>;
    try {
      value = Object(JSON.parse(line)) as Record<string, unknown>;
    } catch (error) {
      throw refuse(i + 1, errorMessage(error));
    }
    const pick = (keys: readonly string[]): string => {
      const found = value[keys.find((key) => value[key] !== undefined) ?? ''];
      return typeof found === 'string' || typeof found === 'number' ? String(found) : '';
    };
    return [{ path: pick(pathKeys), label: pick(labelKeys), split: pick(['split']) }];
  });
}

export function listLabelled(file: string, options: { split?: number; splitSeed?: number } = {}): ImageListing {
  const refuse = (line: number, what: string): UserError =>
    new UserError(`${file}, line ${line}: ${what}`, {
      hint: 'path,label in a .csv, or {"path": "cat/1.jpg", "label": "cat"} a line in a .jsonl; split: train or test, if wanted',
    });
  const extension = extname(file).toLowerCase();
  const text = withFileErrors('read', file, () => readFileSync(file, 'utf8'));
  if (extension !== '.csv' && extension !== '.jsonl') {
    throw new UserError(`${file} is no list of images`, { hint: 'a list is a .csv or a .jsonl' });
  }
  const rows = extension === '.csv' ? readCsv(text, refuse) : readJsonLines(text, refuse);
  const empty = rows.findIndex(({ path, label }) => path === '' || label === '');
  if (empty >= 0) throw refuse(empty + (extension === '.csv' ? 2 : 1), 'there is no path or no label');
  const labels = [...new Set(rows.map(({ label }) => label))];
  const numbers = labels.every((label) => /^\d+$/.test(label));
  const classNames = labels.sort(numbers ? (a, b) => Number(a) - Number(b) : byName);
  if (classNames.length < 2) throw new UserError(`${file} has ${classNames.length} classes: two are needed at least`);
  const root = dirname(file);
  const labelOf = new Map(classNames.map((name, label) => [name, label]));
  const names = rows.map(({ path }) => path);
  const all: ImageList = {
    names,
    labels: Int32Array.from(rows, ({ label }) => labelOf.get(label)!),
    ref: (i) => ({ name: names[i]!, path: resolve(root, names[i]!) }),
  };
  const title = `the images of ${basename(file)}`;
  const base = { root, title, classNames, ignored: nothingIgnored() };
  const tests = ['test', 'val', 'valid', 'validation'];
  if (rows.some(({ split }) => tests.includes(split.toLowerCase()))) {
    const indices = rows.map((_, i) => i);
    const isTest = (i: number): boolean => tests.includes(rows[i]!.split.toLowerCase());
    const train = sublist(
      all,
      indices.filter((i) => !isTest(i)),
    );
    return { ...base, lists: { train, test: sublist(all, indices.filter(isTest)) }, split: null };
  }
  const { split: fraction = 0.1, splitSeed: seed = 0 } = options;
  return { ...base, lists: splitList(all, classNames, fraction, seed), split: { fraction, seed } };
}
