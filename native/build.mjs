// Compiles native/*.cc against the libtorch that is found, without node-gyp: a machine with Node.js and a C++ compiler is
// enough. `node native/build.mjs [--force] [--quiet]`
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, freemem } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFlags, linkFlags, locateCompiler } from './compiler.mjs';
import { buildDirOf, currentBuild, describeLibtorch, packageRoot, writeJson } from './current.mjs';
import { diagnoseCompile, diagnoseLoad, firstErrors } from './diagnose.mjs';
import { describeAttempts, locateLibtorch } from './locate.mjs';
import { withLock } from './lock.mjs';
import { hashOf, sourcesIn } from './sources.mjs';

/** @typedef {import('./current.mjs').BuildInfo} BuildInfo */
/** @typedef {import('./build.mjs').BuildOptions} BuildOptions */

const bytesPerCompile = 1.5e9;

/** A build that failed, with the part of the compiler's or loader's output that matters. */
export class BuildError extends Error {
  /** @override */
  name = 'BuildError';
  /** @param {string} message @param {{ output?: string, cause?: string, remedy?: string, kind?: 'libtorch' | 'compiler' }} [details] */
  constructor(message, { output = '', cause = '', remedy = '', kind } = {}) {
    super(message);
    this.output = output;
    this.likelyCause = cause;
    this.remedy = remedy;
    /** What is not installed, if that is why. */
    this.missing = kind;
  }

  /** All of it, as the person should read it. */
  report() {
    const lines = [this.message];
    if (this.output) lines.push('', this.output, '');
    if (this.likelyCause) lines.push(`likely cause: ${this.likelyCause}`);
    if (this.remedy) lines.push(`what to do:   ${this.remedy}`);
    return lines.join('\n');
  }
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, timeout?: number }} [options]
 * @returns {Promise<{ code: number | null, signal: NodeJS.Signals | null, output: string }>}
 */
function run(command, args, { env = process.env, timeout } = {}) {
  return new Promise((done) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env, ...(timeout ? { timeout } : {}) });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => done({ code: 127, signal: null, output: error.message }));
    child.on('close', (code, signal) => done({ code, signal, output }));
  });
}

// RTLD_NOW resolves every symbol at once: a mismatched libtorch shows here and not in the middle of a training run.
const smokeScript = `
const fs = require('node:fs'), os = require('node:os');
const addon = { exports: {} };
process.dlopen(addon, process.argv[1], os.constants.dlopen.RTLD_NOW);
addon.exports.selfTest();
const maps = process.platform === 'linux' ? fs.readFileSync('/proc/self/maps', 'utf8') : '';
const openmp = [...new Set(maps.match(/\\/\\S*\\/lib(?:gomp|iomp5|omp)[^\\/\\s]*/g) ?? [])];
console.log(JSON.stringify({ version: addon.exports.version(), openmp }));
`;

/**
 * Load an addon and run its self-test in a process of its own: a bad build may crash.
 *
 * @param {string} addon
 * @returns {Promise<{ version: string, openmp: string[] } | { failure: string }>}
 */
export async function smokeTest(addon) {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const { code, signal, output } = await run(process.execPath, ['-e', smokeScript, addon], { env, timeout: 300_000 });
  if (code === 0) return JSON.parse(output.trim().split('\n').pop() ?? '');
  if (signal === 'SIGILL') return { failure: 'this processor lacks an instruction it uses (SIGILL)' };
  if (signal) return { failure: `the process ended with ${signal} while loading it` };
  const errors = output.split('\n').filter((line) => /^\s*(\w*Error|Error): /.test(line) || /\.so\b/.test(line));
  return { failure: (errors[0] ?? output).trim().slice(0, 2000) };
}

/**
 * Compile what changed. Killed compilers (memory) are tried once more, alone.
 *
 * @param {{ name: string, path: string, object: string }[]} files
 * @param {{ command: string, args: string[] }} compiler
 * @param {string[]} flags
 * @param {(line: string) => void} log
 */
async function compileAll(files, compiler, flags, log) {
  const memory = typeof process.availableMemory === 'function' ? process.availableMemory() : freemem();
  const most = Math.min(availableParallelism(), Math.floor(memory / bytesPerCompile));
  const jobs = Math.max(1, Math.min(Number(process.env.THRIVE_JOBS) || most, files.length));
  const queue = [...files];
  /** @type {typeof files} */
  const again = [];
  /** @type {BuildError | undefined} */
  let failed;
  let done = 0;
  /** @param {(typeof files)[number]} file @param {boolean} last */
  const compile = async (file, last) => {
    const started = performance.now();
    const temporary = `${file.object}.${process.pid}.tmp`;
    const args = [...compiler.args, ...flags, '-c', file.path, '-o', temporary];
    const { code, signal, output } = await run(compiler.command, args);
    if (code === 0) {
      renameSync(temporary, file.object);
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      log(`  ${file.name.padEnd(16)} ${seconds.padStart(6)} s   ${++done}/${files.length}`);
      return;
    }
    rmSync(temporary, { force: true });
    const { cause, remedy } = diagnoseCompile(output, { signal });
    if (/killed/.test(cause) && !last && jobs > 1) again.push(file);
    else failed ??= new BuildError(`${file.name} did not compile`, { output: firstErrors(output), cause, remedy });
  };
  const worker = async () => {
    for (let file = queue.shift(); file && !failed; file = queue.shift()) await compile(file, false);
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  for (const file of again) if (!failed) await compile(file, true);
  if (failed) throw failed;
}

/**
 * Link, load in a child process, and put into place. CUDA's libraries that cannot be loaded here are left out.
 *
 * @param {string} folder
 * @param {string[]} objects
 * @param {import('./locate.mjs').Libtorch} libtorch
 * @param {import('./compiler.mjs').Compiler} compiler
 * @param {(line: string) => void} log
 */
async function linkAndTest(folder, objects, libtorch, compiler, log) {
  mkdirSync(folder, { recursive: true });
  const temporary = join(folder, `thrive.${process.pid}.tmp.node`);
  let note = '';
  try {
    for (const cuda of libtorch.cuda ? [true, false] : [false]) {
      const started = performance.now();
      const flags = linkFlags(libtorch, compiler, { cuda });
      const link = await run(compiler.command, [...compiler.args, '-o', temporary, ...objects, ...flags]);
      if (link.code !== 0) {
        const { cause, remedy } = diagnoseCompile(link.output);
        throw new BuildError('the addon did not link', { output: firstErrors(link.output), cause, remedy });
      }
      const result = await smokeTest(temporary);
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      if (!('failure' in result)) {
        if (result.openmp.length > 1) log(`  note: two OpenMP runtimes are loaded: ${result.openmp.join(', ')}`);
        log(`  linked, loads, passes its self-test in ${seconds} s`);
        chmodSync(temporary, 0o755);
        renameSync(temporary, join(folder, 'thrive.node'));
        return { cuda, note, loaded: result.version, linkFlags: flags };
      }
      const { cause, remedy, missingLibrary } = diagnoseLoad(result.failure, { fresh: true });
      if (!cuda || !missingLibrary) {
        throw new BuildError('the addon was built but does not work', { output: result.failure, cause, remedy });
      }
      note = `without CUDA: ${missingLibrary} was not found`;
      log(`  ${note}`);
    }
    throw new Error('unreachable');
  } finally {
    rmSync(temporary, { force: true });
  }
}

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
 * Build the addon unless the current build is made of exactly this: sources, flags, compiler, libtorch.
 *
 * @param {BuildOptions} [options]
 * @returns {Promise<{ built: boolean, info: BuildInfo }>}
 * @throws {BuildError}
 */
export async function build({
  force = false,
  log = console.error,
  sourceDir = join(packageRoot, 'native'),
  buildDir = buildDirOf(),
  env = process.env,
} = {}) {
  const { libtorch, tried } = locateLibtorch({ env });
  if (!libtorch)
    throw new BuildError(
      `no usable libtorch:\n${describeAttempts(tried)
        .map((line) => `  ${line}`)
        .join('\n')}`,
      { kind: 'libtorch' },
    );
  const sources = sourcesIn(sourceDir);
  if (sources.length === 0) throw new BuildError(`there are no source files in ${sourceDir}`);
  const sourceHash = hashOf(sources.map(({ name, hash }) => [name, hash]));

  const found = locateCompiler({ env, standard: libtorch.cxxStandard });
  if (!found.compiler) {
    const current = currentBuild(buildDir);
    if (!force && !env.CXX && current?.sourceHash === sourceHash && current.libtorch.identity === libtorch.identity) {
      return { built: false, info: current }; // nothing to compile: no compiler needed
    }
    const lines = found.tried.map(({ where, reason }) => `  ${where}: ${reason}`);
    throw new BuildError(`no usable C++ compiler:\n${lines.join('\n')}`, { kind: 'compiler' });
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
  const toolchain = [compiler, flags, libtorch.identity, nodeApi];
  const key = hashOf([toolchain, sourceHash, linkFlags(libtorch, compiler, { cuda: libtorch.cuda })]);
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
      const linked = await linkAndTest(
        folder,
        files.map(({ object }) => object),
        libtorch,
        compiler,
        log,
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
