/** @file The examples do what they say, and the README shows them as they are. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';

test('the library example trains, distils and measures', { timeout: 120_000 }, async () => {
  const before = process.cwd();
  const folder = mkdtempSync(join(tmpdir(), 'thrive-example-'));
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  vi.stubEnv('IMAGES', '200');
  process.chdir(folder);
  try {
    await import('../examples/library.ts');
    const said = /^teacher ([\d.]+) %, student ([\d.]+) %, measured again ([\d.]+) %$/.exec(
      String(log.mock.lastCall?.[0]),
    );
    expect(said).not.toBeNull();
    expect(said![3]).toBe(said![2]);
    const summary = JSON.parse(readFileSync(join(folder, 'runs/example/student/summary.json'), 'utf8'));
    expect(summary).toMatchObject({ task: 'distill', imagesSeen: 600, teacherForwards: 1200, studentForwards: 1200 });
  } finally {
    process.chdir(before);
    rmSync(folder, { recursive: true, force: true });
    vi.unstubAllEnvs();
    log.mockRestore();
  }
});

test('docs/extending.md shows the files of the examples to the letter', () => {
  const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
  const doc = read('docs/extending.md');
  for (const name of ['my-loss', 'my-augmentation', 'my-criterion', 'my-data']) {
    const code = read(`examples/${name}.ts`).replace(/^\/\*\*[\s\S]*?\*\/\n/, '');
    expect(doc).toContain(`\`\`\`ts\n${code}\`\`\``);
  }
  expect(doc.match(/```ts/g)?.length).toBe(4);
});

test('the README shows the library example to the letter', () => {
  const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
  const code = read('examples/library.ts').replace(/^\/\*\*[\s\S]*?\*\/\n/, '');
  expect(read('README.md')).toContain(`\`\`\`ts\n${code}\`\`\``);
});
