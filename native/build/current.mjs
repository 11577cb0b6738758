// Which build of the addon is the current one. Kept small: every process that may load the addon reads it.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** @typedef {import('./locate.mjs').Libtorch} Libtorch */
/** @typedef {Pick<Libtorch, 'version' | 'root' | 'source' | 'cuda'>} Describable */

/**
 * The libtorch of a build, with the version that the loaded library reports, and whether CUDA's libraries were linked: not
 * where they are installed but could not be loaded.
 *
 * @typedef {Pick<Libtorch, 'source' | 'root' | 'libDir' | 'version' | 'identity' | 'cxx11Abi'>
 *   & { loaded: string, cuda: boolean }} BuiltAgainst
 */

/**
 * What a build was made of: current.json of the build folder.
 *
 * @typedef {object} BuildInfo
 * @property {string} key Folder of this build under the build folder.
 * @property {string} addon The addon, relative to the build folder.
 * @property {string} sourceHash Of native/*.cc and the headers they include.
 * @property {BuiltAgainst} libtorch
 * @property {{ command: string, kind: string, version: string }} compiler
 * @property {string} nodeApi Version of node-api-headers.
 * @property {string[]} flags
 * @property {string[]} linkFlags
 * @property {number} seconds
 * @property {string} note Something the person should know, or empty.
 */

/** Root of the package: the folder with package.json. */
export const packageRoot = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/**
 * Where builds are kept: THRIVE_BUILD_DIR, or `build/` of the package.
 *
 * @param {Record<string, string | undefined>} [env]
 */
export const buildDirOf = (env = process.env) =>
  env.THRIVE_BUILD_DIR ? resolve(env.THRIVE_BUILD_DIR) : join(packageRoot, 'build');

/**
 * Replaces the file in one step: a reader sees the old one or the new one.
 *
 * @param {string} path
 * @param {unknown} value
 */
export function writeJson(path, value) {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`);
  renameSync(temporary, path);
}

/**
 * What the last build was made of, or undefined.
 *
 * @param {string} [buildDir]
 * @returns {BuildInfo | undefined}
 */
export function currentBuild(buildDir = buildDirOf()) {
  try {
    return JSON.parse(readFileSync(join(buildDir, 'current.json'), 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * `libtorch 2.5.1 in /opt/libtorch (LIBTORCH, CUDA)`.
 *
 * @param {Describable} libtorch
 */
export function describeLibtorch({ version, root, source, cuda }) {
  return `libtorch ${version ?? '(version unknown)'} in ${root} (${source}${cuda ? ', CUDA' : ''})`;
}
