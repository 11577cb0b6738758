// What this machine is, what setup may install on it, and the exact commands where it may not.
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** @typedef {'libtorch' | 'compiler' | 'blas'} Missing */

/**
 * @typedef {object} Machine
 * @property {'debian' | 'fedora' | 'arch' | 'suse' | 'alpine' | 'macos' | 'other'} system
 * @property {string} name As the person knows it: `Debian GNU/Linux 12 (bookworm)`.
 * @property {boolean} root
 * @property {boolean} apt
 * @property {boolean} sudo
 * @property {boolean} brew
 * @property {'LIBTORCH' | 'LIBTORCH_USE_PYTORCH' | undefined} chosen The variable by which the person chose a libtorch.
 * @property {boolean} compilerChosen
 */

/** @type {Record<Missing, string[]>} */
const debianPackages = {
  libtorch: ['libtorch-dev', 'libopenblas0-openmp'],
  compiler: ['g++'],
  blas: ['libopenblas0-openmp'],
};

/**
 * @param {Partial<{ platform: NodeJS.Platform, env: Record<string, string | undefined>, uid: number | undefined,
 *   osRelease: string, has: (command: string) => boolean }>} [look] stands for the machine in tests
 * @returns {Machine}
 */
export function describeMachine({
  platform = process.platform,
  env = process.env,
  uid = process.getuid?.(),
  osRelease = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '',
  has = (command) => (env.PATH ?? '').split(delimiter).some((dir) => existsSync(join(dir, command))),
} = {}) {
  /** @param {string} key */
  const field = (key) => osRelease.match(new RegExp(`^${key}="?([^"\n]*)"?$`, 'm'))?.[1] ?? '';
  const ids = [field('ID'), ...field('ID_LIKE').split(' ')];
  /** @param {...string} names */
  const is = (...names) => platform === 'linux' && names.some((name) => ids.includes(name));
  return {
    system:
      platform === 'darwin'
        ? 'macos'
        : is('debian', 'ubuntu')
          ? 'debian'
          : is('fedora', 'rhel', 'centos')
            ? 'fedora'
            : is('arch')
              ? 'arch'
              : is('suse', 'opensuse')
                ? 'suse'
                : is('alpine')
                  ? 'alpine'
                  : 'other',
    name: platform === 'darwin' ? 'macOS' : field('PRETTY_NAME') || platform,
    root: uid === 0,
    apt: has('apt-get'),
    sudo: has('sudo'),
    brew: has('brew'),
    chosen: env.LIBTORCH ? 'LIBTORCH' : env.LIBTORCH_USE_PYTORCH ? 'LIBTORCH_USE_PYTORCH' : undefined,
    compilerChosen: Boolean(env.CXX),
  };
}

/**
 * What apt may install here: only for root on Debian and its kin, and never against a choice that the person made by
 * setting LIBTORCH or CXX. A compiler is installed along with libtorch where there is none.
 *
 * @param {Missing[]} missing
 * @param {Machine} machine
 * @returns {{ apt?: string[] }}
 */
export function planInstall(missing, machine) {
  if (machine.system !== 'debian' || !machine.apt || !machine.root) return {};
  if (missing.includes('libtorch') && machine.chosen) return {};
  if (missing.includes('compiler') && machine.compilerChosen) return {};
  return { apt: [...new Set(missing.flatMap((what) => debianPackages[what]))] };
}

/** @type {Record<Machine['system'], string>} */
const compilerCommand = {
  debian: 'apt-get install -y g++',
  fedora: 'dnf install -y gcc-c++',
  arch: 'pacman -S --needed gcc',
  suse: 'zypper install -y gcc-c++',
  alpine: 'apk add g++',
  macos: 'xcode-select --install',
  other: '',
};

/**
 * The message where setup cannot go on by itself: what is missing, where it was looked for, and what to type.
 *
 * @param {Partial<Record<Missing, string>>} missing each with what was tried
 * @param {Machine} machine
 */
export function instructions(missing, machine) {
  const prefix = machine.root || machine.system === 'macos' || !machine.sudo ? '' : 'sudo ';
  const asRoot = !machine.root && !machine.sudo && machine.system !== 'macos' ? ' (as root)' : '';
  const lines = [];
  if (missing.libtorch !== undefined) {
    lines.push(
      machine.chosen ? `The libtorch that ${machine.chosen} names cannot be used:` : 'libtorch was not found:',
      missing.libtorch,
      '',
    );
    if (machine.chosen) {
      lines.push(`Correct ${machine.chosen}, or unset it to use the system's libtorch.`);
    }
    lines.push(`Any one of these gives a libtorch on ${machine.name}; then run the same command again.`);
    if (machine.system === 'alpine') {
      lines.pop();
      lines.push('Alpine has none: libtorch is not built for its C library. Use a Debian-based image.');
      return lines.join('\n');
    }
    if (machine.system === 'debian') {
      lines.push(
        '',
        `  Debian's or Ubuntu's packages${asRoot}:`,
        `    ${prefix}apt-get update && ${prefix}apt-get install -y libtorch-dev libopenblas0-openmp g++`,
      );
    }
    if (machine.system === 'macos') lines.push('', '  Homebrew:', '    brew install pytorch');
    lines.push(
      '',
      "  PyTorch's package for Python:",
      '    python3 -m venv ~/torch && . ~/torch/bin/activate && pip install torch',
      '    export LIBTORCH_USE_PYTORCH=1',
      '',
      "  PyTorch's archive for C++ (pytorch.org, Get Started, LibTorch), unpacked to, say, ~/libtorch:",
      '    export LIBTORCH=~/libtorch',
    );
  }
  if (missing.compiler !== undefined) {
    const command = compilerCommand[machine.system];
    if (lines.length > 0) lines.push('');
    lines.push(
      machine.compilerChosen ? 'The compiler named in CXX cannot be used:' : 'No usable C++ compiler was found:',
      missing.compiler,
      '',
    );
    if (machine.compilerChosen) lines.push('Correct CXX, or unset it.');
    else lines.push(command ? `Install one${asRoot}:\n    ${prefix}${command}` : 'Install g++ or clang++.');
  }
  return lines.join('\n');
}
