// The steps of setup, in order.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BuildError, build, chooseLibtorch } from '../native/build/build.mjs';
import { locateCompiler } from '../native/build/compiler.mjs';
import { packageRoot, writableBuildDir } from '../native/build/current.mjs';
import { buildDecoder } from '../native/build/decoder.mjs';
import { describeAttempts, usesReferenceBlas } from '../native/build/locate.mjs';
import { withLock } from '../native/build/lock.mjs';
import { aptInstall } from './apt.mjs';
import { buildDashboard } from './dashboard.mjs';
import { describeMachine, instructions, planInstall } from './machine.mjs';
import { installPackages, packagesAreCurrent } from './packages.mjs';
import { compileTypeScript, linkCommand } from './typescript.mjs';

const flags = ['--quiet', '--force', '--no-install', '--'];

/** @param {string[]} lines */
const indent = (lines) => lines.map((line) => `  ${line}`).join('\n');

/**
 * @param {string[]} args
 * @returns {Promise<number>} exit code
 */
export async function setup(args) {
  const unknown = args.find((arg) => !flags.includes(arg));
  if (unknown) {
    console.error(`setup: unknown option ${unknown}; known: ${flags.slice(0, 3).join(', ')}`);
    return 2;
  }
  const quiet = args.includes('--quiet');
  const log = quiet ? () => {} : (/** @type {string} */ line) => console.error(line);
  const started = performance.now();
  try {
    const onWait = (/** @type {string} */ owner) => log(`setup: waiting for another setup (process ${owner})`);
    const work = () => steps({ force: args.includes('--force'), mayInstall: !args.includes('--no-install'), log });
    const did = await withLock(join(writableBuildDir(), 'setup.lock'), work, { onWait });
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    log(did.length > 0 ? `setup: done in ${seconds} s` : `setup: nothing to do (${seconds} s)`);
    return 0;
  } catch (error) {
    const known = error instanceof BuildError || (error instanceof Error && error.name === 'SetupError');
    console.error(error instanceof BuildError ? error.report() : known ? /** @type {Error} */ (error).message : error);
    return 1;
  }
}

/**
 * @param {{ force: boolean, mayInstall: boolean, log: (line: string) => void }} options
 * @returns {Promise<string[]>} the steps that had something to do
 */
async function steps({ force, mayInstall, log }) {
  const did = [];
  // An installed package has no sources and was given its dependencies by npm.
  const checkout = existsSync(join(packageRoot, 'tsconfig.build.json'));
  // First what may end in instructions: a wrong LIBTORCH is said at once.
  if (await ensureSystem(mayInstall, log)) did.push('system');
  if (checkout && !packagesAreCurrent(packageRoot)) {
    await installPackages(packageRoot, log);
    did.push('packages');
  }
  const { built, info } = await buildAddon(force, mayInstall, log);
  if (built) did.push('native');
  if (built && !writableBuildDir().startsWith(packageRoot)) log(`setup: the addon is in ${writableBuildDir()}`);
  if (info.note) log(`note: libtorch was linked ${info.note}`);
  const decoder = await buildDecoder({ log });
  if (decoder.built) did.push('decoder');
  if (decoder.reason) log(`note: images are decoded by sharp: ${decoder.reason}`);
  if (checkout) {
    if (await compileTypeScript(packageRoot, { force, log })) did.push('typescript');
    if (await buildDashboard(packageRoot, { force, log })) did.push('dashboard');
    linkCommand(packageRoot);
  }
  return did;
}

/** @param {boolean} force @param {boolean} mayInstall @param {(line: string) => void} log */
async function buildAddon(force, mayInstall, log) {
  try {
    return await build({ force, log });
  } catch (error) {
    if (!(error instanceof BuildError) || error.missing !== 'compiler') throw error;
    await provide({ compiler: error.output }, mayInstall, log);
    return build({ force, log });
  }
}

/**
 * libtorch, and under Debian's libtorch a fast BLAS: its default one is many times slower.
 *
 * @param {boolean} mayInstall
 * @param {(line: string) => void} log
 */
async function ensureSystem(mayInstall, log) {
  const { libtorch, tried } = chooseLibtorch();
  if (!libtorch) {
    const { compiler, tried: compilers } = locateCompiler();
    await provide(
      {
        libtorch: indent(describeAttempts(tried)),
        ...(compiler ? {} : { compiler: indent(compilers.map(({ where, reason }) => `${where}: ${reason}`)) }),
      },
      mayInstall,
      log,
    );
    return true;
  }
  if (libtorch.source !== 'system' || !usesReferenceBlas()) return false;
  const plan = planInstall(['blas'], describeMachine());
  const slow = 'matrix products use the slow reference BLAS';
  if (!mayInstall || !plan.apt) {
    log(`note: ${slow}; better: sudo apt-get install -y libopenblas0-openmp`);
    return false;
  }
  try {
    await aptInstall(plan.apt, log);
    return true;
  } catch {
    log(`note: ${slow}; libopenblas0-openmp could not be installed`);
    return false;
  }
}

/**
 * Install what is missing, or say how on this machine.
 *
 * @param {Partial<Record<import('./machine.mjs').Missing, string>>} missing each with what was tried
 * @param {boolean} mayInstall
 * @param {(line: string) => void} log
 */
async function provide(missing, mayInstall, log) {
  const machine = describeMachine();
  const names = /** @type {import('./machine.mjs').Missing[]} */ (Object.keys(missing));
  const plan = planInstall(names, machine);
  let failure = '';
  if (mayInstall && plan.apt) {
    try {
      await aptInstall(plan.apt, log);
      const { libtorch } = chooseLibtorch();
      if (libtorch) return;
    } catch (error) {
      failure = `${error instanceof Error ? error.message : error}\n\n`;
    }
  }
  throw Object.assign(new Error(failure + instructions(missing, machine)), { name: 'SetupError' });
}
