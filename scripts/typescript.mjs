// src/ to dist/, and the command `thrive` of a checkout.
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { writeJson } from '../native/build/current.mjs';
import { hashOf } from '../native/build/sources.mjs';

/** @param {string} dir @returns {string[]} */
function filesUnder(dir) {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    return entry.isDirectory() ? filesUnder(path) : [path];
  });
}

/**
 * Everything that the output depends on, and the outputs that must exist.
 *
 * @param {string} root
 */
export function typescriptState(root) {
  const sources = filesUnder(join(root, 'src'))
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .sort();
  const settings = ['tsconfig.json', 'tsconfig.build.json', 'node_modules/typescript/package.json'];
  const tool = filesUnder(join(root, 'native/build'));
  const inputs = [...sources, ...tool, ...settings.map((name) => join(root, name)).filter((path) => existsSync(path))];
  const hash = hashOf(inputs.map((path) => [relative(root, path), readFileSync(path, 'utf8')]));
  const outputs = sources
    .filter((path) => !path.endsWith('.d.ts'))
    .map((path) => join(root, 'dist', relative(join(root, 'src'), path).replace(/\.ts$/, '.js')));
  return { hash, outputs };
}

/**
 * Compile when sources changed or an output is gone.
 *
 * @param {string} root
 * @param {{ force?: boolean, log?: (line: string) => void }} [options]
 * @returns {Promise<boolean>} whether it compiled
 */
export async function compileTypeScript(root, { force = false, log = () => {} } = {}) {
  const stamp = join(root, 'build/typescript.json');
  const { hash, outputs } = typescriptState(root);
  /** @type {{ sources?: string, outputs?: string[] }} */
  const before = existsSync(stamp) ? JSON.parse(readFileSync(stamp, 'utf8')) : {};
  const complete = outputs.every((path) => existsSync(path));
  if (!force && complete && before.sources === hash) return false;
  // tsc trusts its record of what it wrote, not the disk.
  if (force || !complete)
    for (const name of ['tsc', 'native']) rmSync(join(root, `build/${name}.tsbuildinfo`), { force: true });
  const started = performance.now();
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { code, output } = await new Promise((resolve) => {
    const child = spawn(process.execPath, [tsc, '-b', 'tsconfig.build.json'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk));
    child.on('error', (error) => resolve({ code: 1, output: error.message }));
    child.on('close', (status) => resolve({ code: status, output: text }));
  });
  if (code !== 0) {
    const lines = output.trim().split('\n');
    const more = lines.length > 30 ? `\n… and ${lines.length - 30} more lines` : '';
    const message = `TypeScript does not compile:\n${lines.slice(0, 30).join('\n')}${more}`;
    throw Object.assign(new Error(message), { name: 'SetupError' });
  }
  // A module that was renamed must not live on in dist.
  for (const gone of (before.outputs ?? []).filter((name) => !outputs.includes(join(root, name)))) {
    for (const suffix of ['.js', '.js.map', '.d.ts'])
      rmSync(join(root, gone.replace(/\.js$/, suffix)), { force: true });
  }
  mkdirSync(dirname(stamp), { recursive: true });
  writeJson(stamp, { sources: hash, outputs: outputs.map((path) => relative(root, path)) });
  log(`setup: TypeScript compiled in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  return true;
}

/**
 * Make `npx thrive` and npm scripts find the checkout's own command.
 *
 * @param {string} root
 */
export function linkCommand(root) {
  /** @type {Record<string, string>} */
  const commands = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).bin ?? {};
  for (const [name, file] of Object.entries(commands)) {
    const target = join(root, file);
    if (!existsSync(target)) continue;
    chmodSync(target, 0o755);
    const link = join(root, 'node_modules/.bin', name);
    const wanted = relative(dirname(link), target);
    const is = lstatSync(link, { throwIfNoEntry: false });
    if (is?.isSymbolicLink() && readlinkSync(link) === wanted) continue;
    if (is) rmSync(link);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(wanted, link);
  }
}
