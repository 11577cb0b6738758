// Which build of the addon is the current one. Kept small: every process that may load the addon reads it.
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
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
 * Where builds go: THRIVE_BUILD_DIR, else `build/` of the package, else, where others own that, a folder for this package in
 * the user's cache.
 *
 * @param {Record<string, string | undefined>} [env]
 * @param {string} [root]
 */
export function writableBuildDir(env = process.env, root = packageRoot) {
  if (env.THRIVE_BUILD_DIR) return resolve(env.THRIVE_BUILD_DIR);
  const own = join(root, 'build');
  try {
    accessSync(existsSync(own) ? own : root, constants.W_OK);
    return own;
  } catch {
    const cache = env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache');
    return join(cache, 'thrive', createHash('sha256').update(root).digest('hex').slice(0, 16));
  }
}

/**
 * Where the build to load is: the folder that one would be written to, or the package's, if only there is one.
 *
 * @param {Record<string, string | undefined>} [env]
 * @param {string} [root]
 */
export function buildDirOf(env = process.env, root = packageRoot) {
  const writable = writableBuildDir(env, root);
  const own = join(root, 'build');
  const builtByOthers =
    !env.THRIVE_BUILD_DIR && writable !== own && !currentBuild(writable) && currentBuild(own) !== undefined;
  return builtByOthers ? own : writable;
}

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
