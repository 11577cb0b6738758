/** @file Weights from strangers, given to the command: nothing in them runs, and each gets a clear refusal. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writePth, writeSafetensors } from '../src/formats/index.ts';
import type { StoredTensors } from '../src/formats/stored.ts';
import { thrive } from './cli.ts';
import {
  dict,
  global,
  legacyCheckpoint,
  program,
  reduce,
  tensor,
  text,
  zipCheckpoint,
} from './fixtures/formats/assemble.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'thrive-hostile-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, bytes: Uint8Array | string): string => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};
const evaluating = (path: string): string[] => ['eval', path, '--data', 'synthetic', '--model', 'resnet8'];
const learning = (path: string): string[] => [
  ...['distill', '--data', 'synthetic', '--student', 'resnet8', '--teacher', path, '--teacher-model', 'resnet8'],
  ...['--out', join(folder, 'run')],
];
/** Refused: code 2, nothing on standard output, no stack, no folder. */
async function refused(path: string, message: RegExp, args = evaluating(path)): Promise<void> {
  const { code, stdout, stderr } = await thrive(args);
  expect(stderr).toMatch(message);
  expect(stderr).toContain(path);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
  expect(existsSync(join(folder, 'run'))).toBe(false);
}

describe('a pickle that would run a command', () => {
  const mark = (): string => join(folder, 'was-here');
  const attacks: [string, () => Uint8Array][] = [
    ['os.system in place of the weights', () => program(reduce(global('os', 'system'), text(`touch '${mark()}'`)))],
    [
      'among the weights',
      () =>
        program(
          dict(text('conv1.weight'), tensor(), text('x'), reduce(global('posix', 'system'), text(`touch '${mark()}'`))),
        ),
    ],
    ['eval', () => program(reduce(global('builtins', 'eval'), text(`open('${mark()}', 'w')`)))],
    ['a file opened for writing', () => program(reduce(global('io', 'open'), text(mark()), text('w')))],
  ];

  test.each(attacks)('%s', async (_what, pickle) => {
    await refused(file('zip.pth', zipCheckpoint(pickle(), { 0: new Uint8Array(16) })), /(system|eval|open)/);
    expect(existsSync(mark())).toBe(false);
  });

  test('in the older form of file, and as a teacher', async () => {
    const pickle = program(reduce(global('os', 'system'), text(`touch '${mark()}'`)));
    const path = file('legacy.pth', legacyCheckpoint(pickle, []));
    await refused(path, /os\.system/);
    await refused(path, /os\.system/, learning(path));
    expect(existsSync(mark())).toBe(false);
  });
});

describe('damaged files', () => {
  const tensors: StoredTensors = new Map(
    ['a', 'b'].map((name) => [name, { dtype: 'float32', shape: [64], data: new Uint8Array(256) }]),
  );
  const safetensors = (): Buffer => {
    writeSafetensors(join(folder, 'whole'), tensors);
    return readFileSync(join(folder, 'whole'));
  };

  test('a safetensors file cut short in its header, and in its data', async () => {
    const bytes = safetensors();
    await refused(
      file('cut.safetensors', bytes.subarray(0, 40)),
      /not a valid safetensors file: its header should have/,
    );
    await refused(file('cut.safetensors', bytes.subarray(0, bytes.length - 1)), /the data has only/);
  });

  test('tensors that overlap, that reach beyond the end, that claim more than there is', async () => {
    const edited = (from: string, to: string): Buffer => {
      const bytes = safetensors();
      const at = bytes.indexOf(from);
      expect(at).toBeGreaterThan(0);
      bytes.write(to, at, 'latin1');
      return bytes;
    };
    await refused(file('overlap.safetensors', edited('[256,512]', '[128,384]')), /overlap at offset 128/);
    await refused(
      file('beyond.safetensors', edited('[256,512]', '[256,999]')),
      /takes 256 bytes, but its data_offsets/,
    );
    await refused(file('huge.safetensors', edited('"shape":[64]', '"shape":[9e]')), /not a valid safetensors file/);
  });

  test('a PyTorch file cut short', async () => {
    writePth(join(folder, 'whole.pth'), tensors);
    const bytes = readFileSync(join(folder, 'whole.pth'));
    for (const part of [0.2, 0.95]) {
      await refused(
        file('cut.pth', bytes.subarray(0, Math.floor(bytes.length * part))),
        /cut short|damaged|truncated|no end/i,
      );
    }
  });

  test('an empty file, and a page that says "not found"', async () => {
    await refused(file('empty.pth', ''), /an empty file, not weights/);
    await refused(file('page.pth', '<!DOCTYPE html><title>404</title>'), /a web page, not weights/);
  });
});
