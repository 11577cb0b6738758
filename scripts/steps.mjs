// The steps of setup, in order.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BuildError, build } from '../native/build.mjs';
import { buildDirOf, describeLibtorch, packageRoot } from '../native/current.mjs';
import { locateLibtorch, usesReferenceBlas } from '../native/locate.mjs';
import { withLock } from '../native/lock.mjs';
import { aptInstall } from './apt.mjs';
import { describeMachine, instructions, planInstall } from './machine.mjs';
import { installPackages, packagesAreCurrent } from './packages.mjs';
import { compileTypeScript, linkCommand } from './typescript.mjs';

const flags = ['--quiet', '--force', '--no-install', '--'];

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
    const did = await withLock(join(buildDirOf(), 'setup.lock'), work, { onWait });
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
  if (checkout && !packagesAreCurrent(packageRoot)) {
    await installPackages(packageRoot, log);
    did.push('packages');
  }
  if (await ensureSystem(mayInstall, log)) did.push('system');
  const { built, info } = await buildAddon(force, mayInstall, log);
  if (built) did.push('native');
  if (info.note) log(`note: libtorch was linked ${info.note}`);
  if (checkout) {
    if (await compileTypeScript(packageRoot, { force, log })) did.push('typescript');
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
    await provide(['compiler'], error.message, mayInstall, log);
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
  const { libtorch, tried } = locateLibtorch();
  if (libtorch?.source === 'system' && usesReferenceBlas()) {
    const plan = planInstall(['blas'], describeMachine());
    if (!mayInstall || !plan.apt) {
      log('note: BLAS is the slow reference one: sudo apt-get install -y libopenblas0-openmp');
      return false;
    }
    try {
      await aptInstall(plan.apt, log);
      return true;
    } catch {
      log('note: could not install libopenblas0-openmp: large matrix products will be slow');
    }
  }
  if (libtorch) return false;
  await provide(['libtorch'], tried.map(({ where, reason }) => `  ${where}: ${reason}`).join('\n'), mayInstall, log);
  return true;
}

/**
 * Install what is missing, or say how on this machine.
 *
 * @param {('libtorch' | 'compiler')[]} missing
 * @param {string} details
 * @param {boolean} mayInstall
 * @param {(line: string) => void} log
 */
async function provide(missing, details, mayInstall, log) {
  const machine = describeMachine();
  const plan = planInstall(missing, machine);
  if (mayInstall && plan.apt) {
    try {
      await aptInstall(plan.apt, log);
      const { libtorch } = locateLibtorch();
      if (!missing.includes('libtorch') || libtorch) {
        if (libtorch) log(`setup: ${describeLibtorch(libtorch)}`);
        return;
      }
    } catch (error) {
      details += `\n\n${error instanceof Error ? error.message : error}`;
    }
  }
  const problem = Object.assign(new Error(instructions(missing, machine, details)), { name: 'SetupError' });
  throw problem;
}
