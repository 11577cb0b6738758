import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { refusal, saved, temporaryFolder } from '../../test/fixtures/formats/fixtures.ts';
import { readFileBytes } from './file-bytes.ts';

const folder = temporaryFolder();

it('reads a file, or its beginning', () => {
  const path = saved(folder, 'five', Uint8Array.of(1, 2, 3, 4, 5));
  expect(readFileBytes(path)).toEqual({ data: Uint8Array.of(1, 2, 3, 4, 5), size: 5 });
  expect(readFileBytes(path, 2)).toEqual({ data: Uint8Array.of(1, 2), size: 5 });
  expect(readFileBytes(saved(folder, 'none', new Uint8Array(0))).data).toHaveLength(0);
});

it('refuses what is not a file', async () => {
  expect(await refusal(() => readFileBytes(join(folder, 'absent')))).toMatch(
    /cannot read .*absent: there is no such file/,
  );
  expect(await refusal(() => readFileBytes(folder))).toMatch(/it is a folder/);
});

it.skipIf(process.platform === 'win32')('does not wait for a pipe or read a device', async () => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  expect(await refusal(() => readFileBytes(pipe))).toMatch(/not a regular file/);
  expect(await refusal(() => readFileBytes('/dev/zero'))).toMatch(/not a regular file/);
});
