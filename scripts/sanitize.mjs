// Builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer and runs the tests that call it. Linux with g++.
//   node scripts/sanitize.mjs [TEST…]
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { BuildError, build } from '../native/build/build.mjs';
import { packageRoot } from '../native/build/current.mjs';

/** The operators, the kernels of our own, and what holds their tensors. The fuzz test watches for crashes already. */
const nativeTests = [
  ...[
    'autograd',
    'create',
    'dispatch',
    'dtype',
    'inspect',
    'native',
    'ops',
    'random',
    'schema',
    'tensor',
    'tensor-scope',
  ].map((name) => `src/torch/${name}.test.ts`),
  ...['augment/operations', 'augment/box', 'augment/patchmix', 'augment/mix', 'augment/standard'].map(
    (name) => `src/${name}.test.ts`,
  ),
  'src/distill/losses/crd-score.test.ts',
  'src/nn/optimizers.test.ts',
  'src/nn/sgd.test.ts',
];

const compiler = process.env.CXX ?? 'g++';
const sanitizers =
  '-fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=undefined -fno-omit-frame-pointer';
const libraries = ['libasan.so', 'libubsan.so'].map((name) => {
  const { stdout } = spawnSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' });
  return stdout.trim();
});
const preloaded = {
  LD_PRELOAD: libraries.join(' '),
  // Node.js and libtorch are not instrumented: their memory is neither freed at exit nor marked at the ends of containers,
  // and V8 handles segmentation faults of its own.
  ASAN_OPTIONS:
    'detect_leaks=0:detect_container_overflow=0:alloc_dealloc_mismatch=0:handle_segv=0:abort_on_error=1:allocator_may_return_null=1',
  UBSAN_OPTIONS: 'print_stacktrace=1',
};

const buildDir = join(packageRoot, 'build/sanitized');
try {
  const { built, info } = await build({
    buildDir,
    env: { ...process.env, CXX: `${compiler} ${sanitizers}` },
    loadEnv: preloaded,
  });
  console.error(built ? `native: done in ${info.seconds} s` : 'native: up to date');
  const tests = process.argv.length > 2 ? process.argv.slice(2) : nativeTests;
  const vitest = join(packageRoot, 'node_modules/vitest/vitest.mjs');
  const { status, signal } = spawnSync(process.execPath, [vitest, 'run', '--testTimeout=300000', ...tests], {
    cwd: packageRoot,
    stdio: 'inherit',
    env: { ...process.env, ...preloaded, THRIVE_BUILD_DIR: buildDir },
  });
  process.exitCode = signal ? 1 : (status ?? 1);
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  console.error(error.report());
  process.exitCode = 1;
}
