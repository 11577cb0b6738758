import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { type BuildInfo, currentBuild } from '../../native/build/current.mjs';
import { UserError } from '../base/errors.ts';
import { type LoadOptions, loadAddon, native } from './native.ts';

const built = currentBuild();
const ifBuilt = built ? '' : ' (skipped: the addon is not built)';
const libtorchInMemory = () => /libtorch_cpu/.test(readFileSync('/proc/self/maps', 'utf8'));

describe.skipIf(!built || process.platform !== 'linux')(`lazily${ifBuilt}`, () => {
  test('an import loads nothing, the first call does', () => {
    expect(libtorchInMemory()).toBe(false);
    expect(native().version()).toMatch(/^\d+\.\d+/);
    expect(libtorchInMemory()).toBe(true);
    expect(native()).toBe(native());
  });

  test('its self-test: a gradient, and tensors in use that outlive their handles', () => {
    const before = native().liveTensors();
    expect(() => native().selfTest()).not.toThrow();
    expect(native().liveTensors()).toBe(before);
  });
});

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const info: BuildInfo = {
  key: 'k',
  addon: 'k/thrive.node',
  sourceHash: '',
  libtorch: {
    source: 'LIBTORCH',
    root: '/opt/libtorch',
    libDir: '/',
    version: '2.5.1',
    loaded: '2.5.1',
    identity: '',
    cuda: false,
    cxx11Abi: 1,
  },
  compiler: { command: 'g++', kind: 'gcc', version: '12.2.0' },
  nodeApi: '1.9.0',
  flags: [],
  linkFlags: [],
  seconds: 1,
  note: '',
};

/** A build folder as `build` leaves it, with a file that is no addon. */
function buildFolder(change: Partial<BuildInfo> = {}, contents: string | null = 'not a library'.repeat(20)): string {
  const folder = mkdtempSync(join(tmpdir(), 'thrive-native-'));
  folders.push(folder);
  mkdirSync(join(folder, 'k'));
  writeFileSync(join(folder, 'current.json'), JSON.stringify({ ...info, ...change }));
  if (contents !== null) writeFileSync(join(folder, 'k/thrive.node'), contents);
  return folder;
}

function refusal(options: LoadOptions): { message: string; hint: string; cause: unknown } {
  try {
    loadAddon({ env: {}, platform: 'linux', ...options });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { message: error.message, hint: error.hint ?? '', cause: error.cause };
  }
  throw new Error('expected it not to load');
}

const refuse = (message: string) => (): never => {
  throw new Error(message);
};

describe('what cannot be loaded is explained', () => {
  test('not built', () => {
    const { message, hint } = refusal({ buildDir: '/nowhere' });
    expect(message).toMatch(/^could not load Thrive's native addon for \w+-\w+\n {2}it has not been built yet/);
    expect(hint).toMatch(/^possible solutions:\n {2}- build it.*: npx thrive setup/);
  });

  test('a file that is no library, by the real loader', () => {
    const { message, hint, cause } = refusal({ buildDir: buildFolder() });
    expect(message).toMatch(/thrive\.node: .*(invalid ELF header|file too short|mach-o)/i);
    expect(message).toContain('it was built against libtorch 2.5.1 in /opt/libtorch (LIBTORCH) with gcc 12.2.0');
    expect(hint).toContain('rebuild it here: npx thrive setup');
    expect(cause).toBeInstanceOf(Error);
  });

  test('the file is gone', () => {
    expect(refusal({ buildDir: buildFolder({}, null) }).message).toContain('the built file is gone');
  });

  test('a libtorch that was removed', () => {
    const buildDir = buildFolder({ libtorch: { ...info.libtorch, libDir: '/gone/lib', root: '/gone' } });
    const load = refuse('libtorch_cpu.so: cannot open shared object file: No such file or directory');
    const { message, hint } = refusal({ buildDir, load });
    expect(message).toContain('the shared library libtorch_cpu.so was not found');
    expect(message).toContain('libtorch 2.5.1 in /gone (LIBTORCH), and that folder is gone');
    expect(hint).toContain('npx thrive setup');
  });

  test('LIBTORCH names another libtorch than the one built against', () => {
    const { message, hint } = refusal({ buildDir: buildFolder(), env: { LIBTORCH: '/opt/other' } });
    expect(message).toContain('LIBTORCH is /opt/other, but it was built against libtorch 2.5.1 in /opt/libtorch');
    expect(hint).toMatch(/npx thrive setup\n {2}- or unset LIBTORCH/);
    const same = { buildDir: buildFolder(), env: { LIBTORCH: '/opt/libtorch' }, load: () => ({}) as never };
    expect(() => loadAddon({ platform: 'linux', ...same })).not.toThrow();
  });

  test('LD_LIBRARY_PATH and conda are suspects', () => {
    const load = refuse('/x/thrive.node: undefined symbol: _ZN2at4_ops3addE');
    const { hint } = refusal({
      buildDir: buildFolder(),
      load,
      env: { LD_LIBRARY_PATH: '/odd', CONDA_PREFIX: '/conda' },
    });
    expect(hint).toContain('unset LD_LIBRARY_PATH (/odd)');
    expect(hint).toContain('leave the conda environment');
    expect(hint).toContain('rebuild it: npx thrive setup --force');
  });

  test('Windows', () => {
    expect(refusal({ platform: 'win32' }).hint).toContain('WSL');
  });
});
