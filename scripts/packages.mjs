// The npm packages of package-lock.json.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** @typedef {{ packages?: Record<string, { version?: string, optional?: boolean, link?: boolean }> }} Lock */

/** @param {string} path @returns {Lock | undefined} */
function readLock(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * Whether node_modules holds exactly what package-lock.json asks for, by the record npm keeps there of what it installed.
 * Packages for other platforms are optional and may be absent.
 *
 * @param {string} root
 */
export function packagesAreCurrent(root) {
  const wanted = readLock(join(root, 'package-lock.json'))?.packages;
  const installed = readLock(join(root, 'node_modules/.package-lock.json'))?.packages;
  if (!wanted) return existsSync(join(root, 'node_modules'));
  if (!installed) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    const have = installed[path];
    if (have) return have.version === entry.version && existsSync(join(root, path));
    return entry.optional === true;
  });
}

/**
 * `npm ci`.
 *
 * @param {string} root
 * @param {(line: string) => void} log
 */
export async function installPackages(root, log) {
  log('setup: npm ci');
  const npm = process.env.npm_execpath;
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const [command, ...rest] = npm?.endsWith('.js') ? [process.execPath, npm, ...args] : ['npm', ...args];
  const output = await new Promise((resolve) => {
    const child = spawn(/** @type {string} */ (command), rest, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk));
    child.on('error', (error) => resolve(`${text}\n${error.message}`));
    child.on('close', (code) => resolve(code === 0 ? '' : text || `exit code ${code}`));
  });
  if (!output) return;
  const lines = output.split('\n').map((/** @type {string} */ line) => line.replace(/^npm (error|warn) ?/, ''));
  const usage = lines.findIndex((/** @type {string} */ line) => /^Clean install a project/.test(line));
  const what = lines
    .slice(0, usage < 0 ? 20 : Math.min(usage, 20))
    .join('\n')
    .trim();
  const offline = /ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH/.test(output);
  const hint = offline ? '\n\nThe network is needed here once; after that setup works without.' : '';
  throw Object.assign(new Error(`npm ci failed:\n${what}${hint}`), { name: 'SetupError' });
}
