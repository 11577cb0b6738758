import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { keepConsole } from './console-log.ts';

const root = mkdtempSync(join(tmpdir(), 'thrive-console-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('what stays on the screen is kept, from before the folder exists, and a second session is appended', () => {
  const folder = join(root, 'run');
  const seen: string[] = [];
  const stream = { write: (text: string) => seen.push(text) > 0 } as unknown as NodeJS.WriteStream;
  const end = keepConsole(folder, stream);
  stream.write('loading\n');
  mkdirSync(folder);
  writeFileSync(join(folder, 'config.json'), '{}');
  stream.write('\r\x1b[2Kepoch 1/2 ━━━╌╌');
  stream.write('\r\x1b[2Kepoch 1/2 ━━━━━');
  stream.write('\r\x1b[2K\x1b[1mepoch 1/2\x1b[22m  loss 2\nepoch');
  stream.write(' 2/2  loss 1\n');
  end();
  stream.write('not kept\n');
  const again = keepConsole(folder, stream);
  stream.write('resumed\n');
  again();
  expect(readFileSync(join(folder, 'console.log'), 'utf8')).toBe(
    'loading\nepoch 1/2  loss 2\nepoch 2/2  loss 1\nresumed\n',
  );
  expect(seen.join('')).toContain('not kept');
});
