import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { asTyped, commandLine, invocation } from './invocation.ts';

const root = mkdtempSync(join(tmpdir(), 'thrive-path-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('thrive where the PATH leads to this program, npx thrive elsewhere', () => {
  const script = join(root, 'main.js');
  writeFileSync(script, '');
  chmodSync(script, 0o755);
  const own = join(root, 'bin');
  const local = join(root, 'node_modules', '.bin');
  const foreign = join(root, 'other');
  for (const folder of [own, local, foreign]) mkdirSync(folder, { recursive: true });
  symlinkSync(script, join(own, 'thrive'));
  symlinkSync(script, join(local, 'thrive'));
  writeFileSync(join(foreign, 'thrive'), '');
  chmodSync(join(foreign, 'thrive'), 0o755);
  expect(invocation(script, `/nowhere:${own}`)).toBe('thrive');
  // What npx itself puts there is gone when the person types.
  expect(invocation(script, `/nowhere:${local}`)).toBe('npx thrive');
  expect(invocation(script, foreign)).toBe('npx thrive');
  expect(invocation(script, '')).toBe('npx thrive');
});

test('commands in a text, and paths that a shell would break', () => {
  expect(asTyped("run 'thrive data get mnist', or thrive doctor; npx thrive eval x; thrive is a name")).toBe(
    "run 'npx thrive data get mnist', or npx thrive doctor; npx thrive eval x; thrive is a name",
  );
  expect(commandLine('train', '--resume', "my run's")).toBe("npx thrive train --resume 'my run'\\''s'");
});
