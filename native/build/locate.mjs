// Where libtorch is: one answer shared by the build, the loader and `thrive doctor`. Plain JavaScript with Node built-ins
// only, because it runs before anything is installed or compiled.
import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { inspect, isFolder, librarySuffix } from './inspect.mjs';

/**
 * A libtorch that can be built against: headers and libraries are both there.
 *
 * @typedef {object} Libtorch
 * @property {'LIBTORCH' | 'LIBTORCH_USE_PYTORCH' | 'system'} source How it was found.
 * @property {string} root The folder that holds `include` and `lib`.
 * @property {string | undefined} version As it calls itself: `2.5.1`, `2.5.1+cu124`.
 * @property {string[]} includeDirs
 * @property {string} libDir
 * @property {string[]} libraries Paths to link: torch_cpu, c10.
 * @property {string[]} cudaLibraries Paths to link where present: torch_cuda, c10_cuda. Nothing refers to their symbols, so
 *   `--no-as-needed`.
 * @property {boolean} cuda
 * @property {string | undefined} openmp The OpenMP runtime shipped beside the libraries; the system's is used where there is
 *   none.
 * @property {boolean} usesOpenmp at::parallel_for is inline code with OpenMP pragmas.
 * @property {0 | 1 | undefined} cxx11Abi libstdc++'s string layout, `_GLIBCXX_USE_CXX11_ABI`; undefined where it does not
 *   apply or was not seen.
 * @property {17 | 20 | 23} cxxStandard The C++ standard its headers ask for.
 * @property {string} identity Changes when the installed files do.
 */

/**
 * A place that was looked at and why it would not do.
 *
 * @typedef {{ source: Libtorch['source'], where: string, reason: string }} Attempt
 */

/**
 * @typedef {(command: string, args: string[], env?: Record<string, string | undefined>)
 *   => { status: number | null, stdout: string, error: string | undefined }} Run
 */

/**
 * @typedef {object} LocateOptions
 * @property {Record<string, string | undefined>} [env]
 * @property {NodeJS.Platform} [platform]
 * @property {string} [arch]
 * @property {string} [root] Stands for `/` when looking for a system libtorch.
 * @property {Run} [run]
 */

/** @type {Record<string, string>} */
const triplets = {
  x64: 'x86_64-linux-gnu',
  arm64: 'aarch64-linux-gnu',
  riscv64: 'riscv64-linux-gnu',
  ppc64: 'powerpc64le-linux-gnu',
  s390x: 's390x-linux-gnu',
  loong64: 'loongarch64-linux-gnu',
};

/**
 * The folders with libraries of a prefix, likeliest first.
 *
 * @param {string} prefix
 * @param {string} arch
 */
const libFolders = (prefix, arch) => [
  join(prefix, 'lib', triplets[arch] ?? arch),
  join(prefix, 'lib64'),
  join(prefix, 'lib'),
];

/**
 * @param {Libtorch['source']} source
 * @param {string} prefix
 * @param {string[]} libs
 * @param {NodeJS.Platform} platform
 * @returns {Libtorch | string}
 */
function inspectPrefix(source, prefix, libs, platform) {
  const suffix = librarySuffix(platform);
  const lib = libs.find((dir) => existsSync(join(dir, `libtorch_cpu${suffix}`))) ?? libs[libs.length - 1] ?? prefix;
  return inspect(source, prefix, { include: join(prefix, 'include'), lib }, platform);
}

/**
 * `LIBTORCH`: exactly that folder or an error. A near miss is named, not silently corrected.
 *
 * @param {string} value
 * @param {NodeJS.Platform} platform
 * @param {string} arch
 * @returns {Libtorch | string}
 */
function fromVariable(value, platform, arch) {
  if (!isAbsolute(value)) return 'it must be an absolute path';
  const prefix = resolve(value);
  if (!existsSync(prefix)) return 'there is no such folder';
  if (!isFolder(prefix)) return 'it is a file: name the folder that holds `include` and `lib`';
  /** @param {string} dir */
  const look = (dir) => inspectPrefix('LIBTORCH', dir, [join(dir, 'lib'), ...libFolders(dir, arch)], platform);
  const found = look(prefix);
  if (typeof found !== 'string') return found;
  const near = [join(prefix, 'libtorch'), join(prefix, 'torch'), dirname(prefix)].find(
    (dir) => typeof look(dir) !== 'string',
  );
  return near ? `${found}; did you mean LIBTORCH=${near}?` : found;
}

// find_spec does not import torch, which takes seconds and fails where a driver is missing.
const askPython = `
import importlib.util, json, sys
spec = importlib.util.find_spec("torch")
where = spec.submodule_search_locations[0] if spec and spec.origin and spec.submodule_search_locations else None
print(json.dumps({"executable": sys.executable, "torch": where}))
`;

/**
 * @param {string} command
 * @param {string[]} args
 * @param {Record<string, string | undefined>} [env]
 * @returns {{ status: number | null, stdout: string, error: string | undefined }}
 */
export function runCommand(command, args, env = process.env) {
  const child = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: 30_000,
    cwd: '/',
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return {
    status: child.status,
    stdout: child.stdout ?? '',
    error: child.error?.message ?? (child.stderr?.trim() || undefined),
  };
}

/**
 * `LIBTORCH_USE_PYTORCH`: the torch of the active Python. An active environment is the only one asked.
 *
 * @param {Required<LocateOptions>} options
 * @returns {{ found?: Libtorch, tried: Attempt[] }}
 */
function fromPython({ env, platform, arch, run }) {
  const active = env.VIRTUAL_ENV ?? env.CONDA_PREFIX;
  const pythons = active ? [join(active, 'bin/python')] : ['python3', 'python', '/usr/bin/python3'];
  /** @type {Attempt[]} */
  const tried = [];
  /** @param {string} where @param {string} reason */
  const failed = (where, reason) => tried.push({ source: 'LIBTORCH_USE_PYTORCH', where, reason });
  for (const python of pythons) {
    const { status, stdout, error } = run(python, ['-c', askPython], env);
    if (status !== 0) {
      failed(python, `it did not run: ${(error ?? `exit code ${status}`).split('\n').pop()}`);
      continue;
    }
    /** @type {{ executable: string, torch: string | null }} */
    const answer = JSON.parse(stdout.trim().split('\n').pop() ?? '{}');
    if (!answer.torch) {
      failed(answer.executable, 'this Python has no package torch');
      continue;
    }
    const found = inspectPrefix(
      'LIBTORCH_USE_PYTORCH',
      answer.torch,
      [join(answer.torch, 'lib'), ...libFolders(answer.torch, arch)],
      platform,
    );
    if (typeof found !== 'string') return { found, tried };
    failed(answer.torch, found);
  }
  return { tried };
}

/**
 * Find libtorch: `LIBTORCH`, else `LIBTORCH_USE_PYTORCH=1`, else the system's. A variable that is set is obeyed: if what it
 * names is not usable, that is the answer, and nothing else is tried.
 *
 * @param {LocateOptions} [options]
 * @returns {{ libtorch: Libtorch, tried: Attempt[] } | { libtorch: undefined, tried: Attempt[] }}
 */
export function locateLibtorch(options = {}) {
  const { env = process.env, platform = process.platform, arch = process.arch, root = '/', run = runCommand } = options;
  if (env.LIBTORCH) {
    const found = fromVariable(env.LIBTORCH, platform, arch);
    if (typeof found !== 'string') return { libtorch: found, tried: [] };
    return { libtorch: undefined, tried: [{ source: 'LIBTORCH', where: env.LIBTORCH, reason: found }] };
  }
  if (env.LIBTORCH_USE_PYTORCH && !/^(0|false|no|off)$/i.test(env.LIBTORCH_USE_PYTORCH)) {
    const { found, tried } = fromPython({ env, platform, arch, root, run });
    return { libtorch: found, tried };
  }
  const prefixes =
    platform === 'darwin'
      ? ['opt/homebrew/opt/pytorch', 'usr/local/opt/pytorch', 'opt/homebrew', 'usr/local']
      : ['usr', 'usr/local'];
  /** @type {Attempt[]} */
  const tried = [];
  for (const prefix of prefixes.map((path) => join(root, path))) {
    const found = inspectPrefix('system', prefix, libFolders(prefix, arch), platform);
    if (typeof found !== 'string') return { libtorch: found, tried };
    tried.push({ source: 'system', where: prefix, reason: found });
  }
  return { libtorch: undefined, tried };
}

/**
 * One line a place that was looked at, for error messages.
 *
 * @param {Attempt[]} tried
 */
export function describeAttempts(tried) {
  return tried.map(({ source, where, reason }) => `${source === 'LIBTORCH' ? `LIBTORCH=${where}` : where}: ${reason}`);
}

/**
 * Whether Debian's slow reference BLAS is what a system libtorch would use: `libblas.so.3` resolves into no optimised one.
 *
 * @param {{ root?: string, arch?: string }} [options]
 */
export function usesReferenceBlas({ root = '/', arch = process.arch } = {}) {
  const link = join(root, 'usr/lib', triplets[arch] ?? arch, 'libblas.so.3');
  if (!existsSync(link)) return false;
  const real = realpathSync(link);
  return basename(dirname(real)) === 'blas';
}
