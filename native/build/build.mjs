// Compiles native/*.cc against the libtorch that is found, without node-gyp: a machine with Node.js and a C++ compiler is
// enough. `node native/build/build.mjs [--force] [--quiet]`
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BuildError, compileAll, linkAndTest, SourcesChanged } from './compile.mjs';
import { compileFlags, linkFlags, locateCompiler } from './compiler.mjs';
import { buildDirOf, currentBuild, describeLibtorch, packageRoot, writableBuildDir, writeJson } from './current.mjs';
import { describeAttempts, locateLibtorch } from './locate.mjs';
import { withLock } from './lock.mjs';
import { hashOf, sourcesIn } from './sources.mjs';

/** @typedef {import('./current.mjs').BuildInfo} BuildInfo */

/**
 * @typedef {object} BuildOptions
 * @property {boolean} [force] Compile everything again.
 * @property {(line: string) => void} [log]
 * @property {string} [sourceDir]
 * @property {string} [buildDir]
 * @property {NodeJS.ProcessEnv} [env]
 * @property {NodeJS.ProcessEnv} [loadEnv] More variables for the process that tries the addon out: a sanitizer's runtime is
 *   preloaded.
 */

export { BuildError, smokeTest } from './compile.mjs';

/** @param {string[]} lines */
const indent = (lines) => lines.map((line) => `  ${line}`).join('\n');
/**
 * Remove what no recent build used: libtorch may be switched back and forth, so the last few stay.
 *
 * @param {string} buildDir
 */
function prune(buildDir) {
  /** @param {string} dir */
  const byAge = (dir) =>
    readdirSync(dir)
      .map((name) => ({
        path: join(dir, name),
        time: statSync(join(dir, name), { throwIfNoEntry: false })?.mtimeMs ?? 0,
      }))
      .sort((a, b) => b.time - a.time);
  const builds = byAge(buildDir).filter(({ path }) => existsSync(join(path, 'build.json')));
  for (const { path } of builds.slice(4)) rmSync(path, { recursive: true, force: true });
  const old = Date.now() - 14 * 24 * 3600_000;
  for (const { path, time } of byAge(join(buildDir, 'objects'))) if (time < old) rmSync(path, { force: true });
}

/**
 * What pip has put beside a wheel with CUDA: when that changes, a build that had to do without CUDA is linked anew.
 *
 * @param {import('./locate.mjs').Libtorch} libtorch
 */
function cudaPackages({ cuda, libDir }) {
  const nvidia = join(libDir, '../../nvidia');
  if (!cuda || !existsSync(nvidia)) return [];
  const folders = readdirSync(nvidia).map((name) => join(nvidia, name, 'lib'));
  return folders.filter((dir) => existsSync(dir)).flatMap((dir) => readdirSync(dir));
}

/**
 * `locateLibtorch`; where it finds none and nothing is asked for, the one of the last build if it is still there: LIBTORCH
 * need be set once only.
 *
 * @param {{ env?: NodeJS.ProcessEnv, buildDir?: string, root?: string }} [options]
 */
export function chooseLibtorch({ env = process.env, buildDir = buildDirOf(), root = '/' } = {}) {
  const located = locateLibtorch({ env, root });
  const last = currentBuild(buildDir)?.libtorch.root;
  if (located.libtorch || env.LIBTORCH || env.LIBTORCH_USE_PYTORCH || !last) return located;
  const again = locateLibtorch({ env: { ...env, LIBTORCH: last } });
  return again.libtorch ? again : located;
}

/**
 * Build the addon unless the current build is made of exactly this: sources, flags, compiler, libtorch. Starts again when a
 * source changes meanwhile.
 *
 * @param {BuildOptions} [options]
 * @returns {Promise<{ built: boolean, info: BuildInfo }>}
 * @throws {BuildError}
 */
export async function build(options = {}) {
  const { force = false, log = console.error, sourceDir = join(packageRoot, 'native'), env = process.env } = options;
  const settings = {
    force,
    log,
    sourceDir,
    env,
    loadEnv: options.loadEnv ?? {},
    buildDir: options.buildDir ?? writableBuildDir(),
  };
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      return await buildOnce(settings);
    } catch (error) {
      if (!(error instanceof SourcesChanged)) throw error;
      log('native: the sources changed meanwhile, starting again');
    }
  }
  throw new BuildError('the sources keep changing', { remedy: 'build again when they are saved' });
}

/**
 * @param {Required<BuildOptions>} options
 * @returns {Promise<{ built: boolean, info: BuildInfo }>}
 */
async function buildOnce({ force, log, sourceDir, buildDir, env, loadEnv }) {
  const { libtorch, tried } = chooseLibtorch({ env, buildDir });
  if (!libtorch)
    throw new BuildError('no usable libtorch:', { output: indent(describeAttempts(tried)), missing: 'libtorch' });
  const sources = sourcesIn(sourceDir);
  if (sources.length === 0) throw new BuildError(`there are no source files in ${sourceDir}`);
  const sourceHash = hashOf(sources.map(({ name, hash }) => [name, hash]));

  const found = locateCompiler({ env, standard: libtorch.cxxStandard });
  if (!found.compiler) {
    const current = currentBuild(buildDir);
    if (!force && !env.CXX && current?.sourceHash === sourceHash && current.libtorch.identity === libtorch.identity) {
      return { built: false, info: current }; // nothing to compile: no compiler needed
    }
    const output = indent(found.tried.map(({ where, reason }) => `${where}: ${reason}`));
    throw new BuildError('no usable C++ compiler:', { output, missing: 'compiler' });
  }
  const { compiler } = found;
  const require = createRequire(import.meta.url);
  /** @type {string} */
  let nodeApiInclude;
  try {
    nodeApiInclude = require('node-api-headers').include_dir;
  } catch {
    throw new BuildError('the npm package node-api-headers is not installed', { remedy: 'npm ci' });
  }
  const nodeApi = require('node-api-headers/package.json').version;
  const flags = compileFlags(libtorch, compiler, { nodeApiInclude });
  // The Node-API headers are told by their version: wherever they lie, the same objects serve.
  const toolchain = [compiler, flags.filter((flag) => flag !== nodeApiInclude), libtorch.identity, nodeApi];
  const link = linkFlags(libtorch, compiler, { cuda: libtorch.cuda });
  const key = hashOf([toolchain, sourceHash, link, cudaPackages(libtorch)]);
  const folder = join(buildDir, key);
  const record = join(folder, 'build.json');

  /** @returns {BuildInfo | undefined} */
  const reuse = () => {
    if (force || !existsSync(record) || !existsSync(join(folder, 'thrive.node'))) return undefined;
    /** @type {BuildInfo} */
    const info = JSON.parse(readFileSync(record, 'utf8'));
    if (currentBuild(buildDir)?.key !== key) {
      writeJson(join(buildDir, 'current.json'), info);
      utimesSync(folder, new Date(), new Date());
    }
    return info;
  };
  const ready = reuse();
  if (ready) return { built: false, info: ready };

  const onWait = (/** @type {string} */ owner) =>
    log(`native: another build is running (process ${owner}), waiting for it`);
  return withLock(
    join(buildDir, 'native.lock'),
    async () => {
      const meanwhile = reuse();
      if (meanwhile) return { built: false, info: meanwhile };
      const started = performance.now();
      mkdirSync(join(buildDir, 'objects'), { recursive: true });
      const files = sources.map((source) => ({
        ...source,
        object: join(buildDir, 'objects', `${source.name}.${hashOf([toolchain, source.hash])}.o`),
      }));
      const stale = files.filter(({ object }) => force || !existsSync(object));
      const now = new Date();
      for (const file of files) if (!stale.includes(file)) utimesSync(file.object, now, now);
      log(
        `native: ${stale.length} of ${files.length} files to compile, ${compiler.kind} ${compiler.version}, ${describeLibtorch(libtorch)}`,
      );
      await compileAll(stale, compiler, flags, log);
      if (hashOf(sourcesIn(sourceDir).map(({ name, hash }) => [name, hash])) !== sourceHash) throw new SourcesChanged();
      const linked = await linkAndTest(
        folder,
        files.map(({ object }) => object),
        libtorch,
        compiler,
        log,
        loadEnv,
      );
      /** @type {BuildInfo} */
      const info = {
        key,
        addon: join(key, 'thrive.node'),
        sourceHash,
        libtorch: {
          source: libtorch.source,
          root: libtorch.root,
          libDir: libtorch.libDir,
          version: libtorch.version,
          loaded: linked.loaded,
          identity: libtorch.identity,
          cuda: linked.cuda,
          cxx11Abi: libtorch.cxx11Abi,
        },
        compiler: {
          command: [compiler.command, ...compiler.args].join(' '),
          kind: compiler.kind,
          version: compiler.version,
        },
        nodeApi,
        flags,
        linkFlags: linked.linkFlags,
        seconds: Math.round((performance.now() - started) / 100) / 10,
        note: linked.note,
      };
      writeJson(record, info);
      writeJson(join(buildDir, 'current.json'), info);
      prune(buildDir);
      return { built: true, info };
    },
    { onWait },
  );
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const quiet = process.argv.includes('--quiet');
  try {
    const { built, info } = await build({
      force: process.argv.includes('--force'),
      ...(quiet ? { log: () => {} } : {}),
    });
    if (!quiet) console.error(built ? `native: done in ${info.seconds} s` : 'native: up to date');
  } catch (error) {
    console.error(error instanceof BuildError ? error.report() : error);
    process.exitCode = 1;
  }
}
