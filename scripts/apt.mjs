// Debian packages, without questions and with a sign of life.
import { spawn } from 'node:child_process';

/**
 * @param {string[]} args
 * @param {(line: string) => void} onLine
 * @returns {Promise<void>}
 */
function aptGet(args, onLine) {
  return new Promise((resolve, reject) => {
    const options = ['-o', 'DPkg::Lock::Timeout=300', '-o', 'Dpkg::Use-Pty=0', '-o', 'Acquire::Retries=3'];
    const child = spawn('apt-get', [...options, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
    });
    /** @type {string[]} */
    const tail = [];
    let rest = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          tail.push(line);
          if (tail.length > 15) tail.shift();
          onLine(line);
        }
      });
    }
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`apt-get ${args[0]} failed (exit code ${code}):\n${[...tail, rest].join('\n')}`));
    });
  });
}

/**
 * `apt-get update` and `apt-get install`. A failing update is no reason to stop: the lists may be good enough.
 *
 * @param {string[]} packages
 * @param {(line: string) => void} log
 */
export async function aptInstall(packages, log) {
  const started = performance.now();
  let last = started;
  let count = '';
  /** @param {string} line */
  const onLine = (line) => {
    const total = line.match(/^\d+ upgraded, (\d+) newly installed/)?.[1];
    if (total) count = total;
    const size = line.match(/^Need to get ([\d.,]+ \wB)/)?.[1];
    if (size) log(`  ${count} packages, ${size} to download`);
    if (performance.now() - last < 15_000 || !/^(Get:|Unpacking|Setting up|Processing)/.test(line)) return;
    last = performance.now();
    log(`  ${Math.round((last - started) / 1000)} s: ${line.replace(/\s*\(.*/, '').slice(0, 90)}`);
  };
  log(`setup: apt-get install ${packages.join(' ')}`);
  try {
    await aptGet(['update'], () => {});
  } catch (error) {
    log(
      `  apt-get update failed, going on with the package lists there are (${error instanceof Error ? error.message.split('\n')[0] : error})`,
    );
  }
  await aptGet(['install', '-y', '--no-install-recommends', ...packages], onLine);
  log(`  installed in ${Math.round((performance.now() - started) / 1000)} s`);
}
