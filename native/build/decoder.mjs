// Compiles native/decode: image decoding on libjpeg-turbo, without libtorch, for worker threads. Where libjpeg-turbo's headers or
// a compiler are missing nothing is built, and images are decoded by sharp, at about half the speed.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { locateCompiler } from './compiler.mjs';
import { packageRoot, writableBuildDir, writeJson } from './current.mjs';
import { withLock } from './lock.mjs';
import { hashOf, sourcesIn } from './sources.mjs';

const brew = ['/opt/homebrew/opt/jpeg-turbo', '/usr/local/opt/jpeg-turbo'];

/**
 * @param {{ buildDir?: string, env?: NodeJS.ProcessEnv, log?: (line: string) => void }} [options]
 * @returns {Promise<{ built: boolean, reason: string }>} `reason`: why there is none, or ''
 */
export async function buildDecoder({ buildDir = writableBuildDir(), env = process.env, log = () => {} } = {}) {
  const sources = sourcesIn(join(packageRoot, 'native/decode'));
  const { compiler, tried } = locateCompiler({ env });
  if (!compiler) return { built: false, reason: `no C++ compiler: ${tried.map(({ reason }) => reason).join(', ')}` };
  const { include_dir: nodeApi } = createRequire(import.meta.url)('node-api-headers');
  const prefixes = process.platform === 'darwin' ? brew.filter((folder) => existsSync(folder)) : [];
  const command = [
    ...compiler.args,
    ...['-std=c++17', '-O3', '-DNDEBUG', '-DNAPI_VERSION=9', '-fPIC', '-fvisibility=hidden', '-Wall'],
    ...['-isystem', nodeApi, ...prefixes.flatMap((folder) => ['-isystem', join(folder, 'include')])],
    ...(process.platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared', '-s']),
  ];
  const libraries = [...prefixes.map((folder) => `-L${join(folder, 'lib')}`), '-ljpeg'];
  const key = hashOf([compiler, command, libraries, process.arch, sources.map(({ name, hash }) => [name, hash])]);
  const record = join(buildDir, 'decoder.json');
  const addon = `decode-${key}.node`;
  const current = () => {
    try {
      return JSON.parse(readFileSync(record, 'utf8')).addon === addon && existsSync(join(buildDir, addon));
    } catch {
      return false;
    }
  };
  if (current()) return { built: false, reason: '' };
  mkdirSync(buildDir, { recursive: true });
  return withLock(join(buildDir, 'decoder.lock'), async () => {
    if (current()) return { built: false, reason: '' };
    const temporary = join(buildDir, `decode.${process.pid}.tmp.node`);
    try {
      const files = sources.map(({ path }) => path);
      const made = spawnSync(compiler.command, [...command, '-o', temporary, ...files, ...libraries], {
        encoding: 'utf8',
      });
      if (made.status !== 0) {
        const missing = /jpeglib\.h|-ljpeg\b|library .*jpeg/.test(made.stderr ?? '');
        const reason = missing
          ? 'libjpeg-turbo is not installed (Debian: apt-get install libjpeg62-turbo-dev; macOS: brew install jpeg-turbo)'
          : `the decoder did not compile: ${(made.stderr || made.error?.message || '').split('\n')[0]}`;
        return { built: false, reason };
      }
      // A fresh build is loaded in a process of its own first.
      const trial = spawnSync(process.execPath, ['-e', `require(${JSON.stringify(temporary)}).header`], { env });
      if (trial.status !== 0) return { built: false, reason: 'the decoder was built but does not load' };
      renameSync(temporary, join(buildDir, addon));
      writeJson(record, { addon });
      log('native: built the image decoder');
      return { built: true, reason: '' };
    } finally {
      rmSync(temporary, { force: true });
    }
  });
}
