// Compiling, linking and trying out the addon: each step ends in a file that is whole, or in a BuildError.
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { availableParallelism, freemem } from 'node:os';
import { join } from 'node:path';
import { linkFlags } from './compiler.mjs';
import { diagnoseCompile, diagnoseLoad, firstErrors } from './diagnose.mjs';
import { hasChanged } from './sources.mjs';

const bytesPerCompile = 1.5e9;

/** A build that failed, with the part of the compiler's or loader's output that matters. */
export class BuildError extends Error {
  /** @override */
  name = 'BuildError';
  /** @param {string} message @param {{ output?: string, cause?: string, remedy?: string, missing?: 'libtorch' | 'compiler' }} [details] */
  constructor(message, { output = '', cause = '', remedy = '', missing } = {}) {
    super(message);
    this.output = output;
    this.likelyCause = cause;
    this.remedy = remedy;
    /** What is not installed, if that is why. */
    this.missing = missing;
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

/** Somebody edits while this compiles: what was compiled is neither the old nor the new source. */
export class SourcesChanged extends Error {}

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
 * @param {NodeJS.ProcessEnv} [variables] for that process
 * @returns {Promise<{ version: string, openmp: string[] } | { failure: string }>}
 */
export async function smokeTest(addon, variables = {}) {
  const { NODE_OPTIONS: _, ...inherited } = process.env;
  const env = { ...inherited, ...variables };
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
 * @param {{ name: string, path: string, hash: string, object: string }[]} files
 * @param {{ command: string, args: string[] }} compiler
 * @param {string[]} flags
 * @param {(line: string) => void} log
 */
export async function compileAll(files, compiler, flags, log) {
  const memory = typeof process.availableMemory === 'function' ? process.availableMemory() : freemem();
  const most = Math.min(availableParallelism(), Math.floor(memory / bytesPerCompile));
  const jobs = Math.max(1, Math.min(Number(process.env.THRIVE_JOBS) || most, files.length));
  const queue = [...files];
  /** @type {typeof files} */
  const again = [];
  /** @type {Error | undefined} */
  let failed;
  let done = 0;
  /** @param {(typeof files)[number]} file @param {boolean} last */
  const compile = async (file, last) => {
    const started = performance.now();
    const temporary = `${file.object}.${process.pid}.tmp`;
    const args = [...compiler.args, ...flags, '-c', file.path, '-o', temporary];
    const { code, signal, output } = await run(compiler.command, args);
    if (hasChanged(file)) {
      rmSync(temporary, { force: true });
      failed ??= new SourcesChanged();
      return;
    }
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
 * @param {NodeJS.ProcessEnv} [variables] for the process that loads it
 */
export async function linkAndTest(folder, objects, libtorch, compiler, log, variables = {}) {
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
      const result = await smokeTest(temporary, variables);
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
