import { describe, expect, test } from 'vitest';
import { describeMachine, instructions, planInstall } from '../../scripts/machine.mjs';

const debian12 = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n';
const mint = 'NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"\n';
const fedora = 'NAME="Fedora Linux"\nID=fedora\nPRETTY_NAME="Fedora Linux 42"\n';
const alpine = 'ID=alpine\nPRETTY_NAME="Alpine Linux v3.22"\n';

const machine = (
  osRelease: string,
  {
    uid = 0,
    env = {},
    platform = 'linux',
    commands = ['apt-get', 'sudo'],
  }: {
    uid?: number;
    env?: Record<string, string>;
    platform?: NodeJS.Platform;
    commands?: string[];
  } = {},
) => describeMachine({ platform, env, uid, osRelease, has: (command) => commands.includes(command) });

describe('what this machine is', () => {
  test.each([
    [debian12, 'debian'],
    [mint, 'debian'],
    [fedora, 'fedora'],
    [alpine, 'alpine'],
    ['ID=nixos\n', 'other'],
    ['', 'other'],
  ])('%j', (osRelease, system) => {
    expect(machine(osRelease).system).toBe(system);
  });

  test('macOS has no os-release', () => {
    expect(machine('', { platform: 'darwin' })).toMatchObject({ system: 'macos', name: 'macOS' });
  });
});

describe('what setup installs by itself', () => {
  test('root on Debian: libtorch with a fast BLAS, a compiler', () => {
    expect(planInstall(['libtorch'], machine(debian12))).toEqual({ apt: ['libtorch-dev', 'libopenblas0-openmp'] });
    expect(planInstall(['compiler'], machine(debian12))).toEqual({ apt: ['g++'] });
    expect(planInstall(['blas', 'libtorch'], machine(mint)).apt).toEqual(['libopenblas0-openmp', 'libtorch-dev']);
  });

  test.each([
    ['not root', machine(debian12, { uid: 1000 })],
    ['no apt', machine(debian12, { commands: [] })],
    ['another system', machine(fedora)],
    ['macOS', machine('', { platform: 'darwin' })],
  ])('nothing: %s', (_, where) => {
    expect(planInstall(['libtorch'], where)).toEqual({});
    expect(planInstall(['compiler'], where)).toEqual({});
  });

  test("nothing against the person's own choice", () => {
    expect(planInstall(['libtorch'], machine(debian12, { env: { LIBTORCH: '/x' } }))).toEqual({});
    expect(planInstall(['libtorch'], machine(debian12, { env: { LIBTORCH_USE_PYTORCH: '1' } }))).toEqual({});
    expect(planInstall(['compiler'], machine(debian12, { env: { CXX: 'icpx' } }))).toEqual({});
  });
});

describe('what setup says where it may not', () => {
  test('Debian: the command to type, with sudo only where there is one', () => {
    const text = instructions({ libtorch: '  /usr: missing: the headers' }, machine(debian12, { uid: 1000 }));
    expect(text).toContain('sudo apt-get update && sudo apt-get install -y libtorch-dev libopenblas0-openmp g++');
    expect(text).toContain('/usr: missing: the headers');
    expect(text).toContain('export LIBTORCH_USE_PYTORCH=1');
    const bare = instructions({ libtorch: '' }, machine(debian12, { uid: 1000, commands: ['apt-get'] }));
    expect(bare).not.toContain('sudo');
    expect(bare).toContain('(as root)');
  });

  test('macOS: Homebrew, and no apt', () => {
    const text = instructions({ libtorch: '' }, machine('', { platform: 'darwin', uid: 501 }));
    expect(text).toContain('brew install pytorch');
    expect(text).not.toContain('apt-get');
  });

  test('Alpine: no way is suggested that cannot work', () => {
    const text = instructions({ libtorch: '' }, machine(alpine));
    expect(text).toContain('Debian-based image');
    expect(text).not.toMatch(/pip install|archive/);
  });

  test('a wrong LIBTORCH is named first', () => {
    const text = instructions(
      { libtorch: '  LIBTORCH=/x: no such folder' },
      machine(fedora, { env: { LIBTORCH: '/x' } }),
    );
    expect(text.split('\n')[0]).toBe('The libtorch that LIBTORCH names cannot be used:');
    expect(text).toContain('unset it');
  });

  test.each([
    [debian12, 'apt-get install -y g++'],
    [fedora, 'dnf install -y gcc-c++'],
    [alpine, 'apk add g++'],
  ])('a compiler: %j', (osRelease, command) => {
    expect(instructions({ compiler: '  g++: not installed' }, machine(osRelease))).toContain(command);
  });

  test('both at once, each with its reasons', () => {
    const text = instructions({ libtorch: '  /usr: nothing', compiler: '  g++: not installed' }, machine(fedora));
    expect(text).toContain('libtorch was not found:\n  /usr: nothing\n');
    expect(text).toContain('No usable C++ compiler was found:\n  g++: not installed\n');
  });

  test('a wrong CXX is not answered with an installation', () => {
    const text = instructions({ compiler: '  CXX=g+: not installed' }, machine(debian12, { env: { CXX: 'g+' } }));
    expect(text).toContain('Correct CXX');
    expect(text).not.toContain('apt-get');
  });
});
