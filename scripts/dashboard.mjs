// dashboard/ to dist/dashboard: the page that `thrive serve` shows.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { writeJson } from '../native/build/current.mjs';
import { hashOf } from '../native/build/sources.mjs';

/** @param {string} dir @returns {string[]} */
const filesUnder = (dir) =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();

/**
 * Build when a source changed or the page is gone.
 *
 * @param {string} root
 * @param {{ force?: boolean, log?: (line: string) => void }} [options]
 * @returns {Promise<boolean>} whether it built
 */
export async function buildDashboard(root, { force = false, log = () => {} } = {}) {
  const stamp = join(root, 'build/dashboard.json');
  // The page draws with the colours and axes of src/plot.
  const inputs = [...filesUnder(join(root, 'dashboard')), ...filesUnder(join(root, 'src/plot'))].filter(
    (path) => !path.endsWith('.test.ts'),
  );
  inputs.push(...['vite', 'preact', 'uplot'].map((name) => join(root, 'node_modules', name, 'package.json')));
  const hash = hashOf(inputs.map((path) => [relative(root, path), readFileSync(path, 'utf8')]));
  const before = existsSync(stamp) ? JSON.parse(readFileSync(stamp, 'utf8')).sources : '';
  if (!force && before === hash && existsSync(join(root, 'dist/dashboard/index.html'))) return false;
  const started = performance.now();
  const vite = join(root, 'node_modules/vite/bin/vite.js');
  const args = [vite, 'build', '--logLevel', 'warn', '--config', 'dashboard/vite.config.ts'];
  const { code, output } = await new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk));
    child.on('error', (error) => resolve({ code: 1, output: error.message }));
    child.on('close', (status) => resolve({ code: status, output: text }));
  });
  if (code !== 0) {
    const message = `the dashboard does not build:\n${output.trim().split('\n').slice(0, 30).join('\n')}`;
    throw Object.assign(new Error(message), { name: 'SetupError' });
  }
  mkdirSync(dirname(stamp), { recursive: true });
  writeJson(stamp, { sources: hash });
  log(`setup: dashboard built in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  return true;
}
