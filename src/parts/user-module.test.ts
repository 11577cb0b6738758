import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Tensor } from '../torch/index.ts';
import { importUserModule } from './user-module.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'thrive-user-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('every room of the package is there for a file that has no package beside it', async () => {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const rooms = Object.keys(manifest.exports).map((path) => path.replace(/^\./, 'thrive'));
  expect(rooms).toContain('thrive/onnx');
  const file = join(root, 'rooms.ts');
  const lines = rooms.map((room, i) => `import * as room${i} from '${room}';`);
  writeFileSync(file, [...lines, `export default [${rooms.map((_, i) => `room${i}`)}];`].join('\n'));
  const { default: found } = await importUserModule(file, 'the test');
  expect((found as object[]).map((room) => Object.keys(room).length > 0)).toEqual(rooms.map(() => true));
  // This very library, not a copy.
  const torch = (found as Record<string, unknown>[])[rooms.indexOf('thrive/torch')]!;
  expect(torch.Tensor).toBe(Tensor);
});
