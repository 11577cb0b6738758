import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { codeHash } from './code-hash.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'code-hash-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, text: string): string => {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
};

describe('the hash of a file of code', () => {
  test('of a file alone is its SHA-256, packages or not', () => {
    const text = "import { Module } from 'thrive';\nimport fs from 'node:fs';\nimport gone from './not-there.ts';\n";
    expect(codeHash(write('net.ts', text))).toBe(createHash('sha256').update(text).digest('hex'));
  });

  test.each([
    ['import a name', "import { block } from './parts/block.ts';", 'parts/block.ts'],
    ['over several lines', "import {\n  block,\n  stem,\n} from './parts/block.ts';", 'parts/block.ts'],
    ['for its effects', "import './parts/block.ts';", 'parts/block.ts'],
    ['re-export', 'export * from "./parts/block.ts";', 'parts/block.ts'],
    ['dynamic', "const it = await import('./parts/block.ts');", 'parts/block.ts'],
    ['require', "const it = require('./parts/block.js');", 'parts/block.js'],
    ['without ending', "import { block } from './parts/block';", 'parts/block.ts'],
    ['by the compiled name', "import { block } from './parts/block.js';", 'parts/block.ts'],
    ['a folder', "import { block } from './parts';", 'parts/index.ts'],
    ['JSON', "import widths from './widths.json' with { type: 'json' };", 'widths.json'],
  ])('follows an import: %s', (_, line, imported) => {
    const net = write('net.ts', `${line}\nexport default 1;\n`);
    write(imported, '[1]');
    const before = codeHash(net);
    expect(codeHash(net)).toBe(before);
    write(imported, '[2]');
    expect(codeHash(net)).not.toBe(before);
  });

  test('follows what an imported file imports, round in a circle too, and is the same in another folder', () => {
    const net = write('nets/net.ts', "import '../parts/a.ts';");
    write('parts/a.ts', "import './b.ts';");
    write('parts/b.ts', "import './a.ts';\nimport '../nets/net.ts';");
    const before = codeHash(net);
    const copy = mkdtempSync(join(tmpdir(), 'code-hash-copy-'));
    cpSync(folder, copy, { recursive: true });
    expect(codeHash(join(copy, 'nets/net.ts'))).toBe(before);
    rmSync(copy, { recursive: true });
    write('parts/b.ts', "import './a.ts';");
    expect(codeHash(net)).not.toBe(before);
  });
});
