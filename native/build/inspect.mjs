// What kind of libtorch a folder holds: version, string layout, C++ standard, CUDA, OpenMP. Node built-ins only.
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** @typedef {import('./locate.mjs').Libtorch} Libtorch */

const versionHeaders = ['torch/headeronly/version.h', 'torch/csrc/api/include/torch/version.h'];

/** @param {NodeJS.Platform} platform */
export const librarySuffix = (platform) => (platform === 'darwin' ? '.dylib' : '.so');

/** @param {string} path */
export function isFolder(path) {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** @param {string} path */
function readOr(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/**
 * The version a libtorch calls itself: the archive's `build-version`, the wheel's `version.py`, then the headers' macros
 * (Debian's headers say 1.13.0 where its package is 1.13.1).
 *
 * @param {string} prefix
 * @param {string[]} includeDirs
 */
export function readVersion(prefix, includeDirs) {
  const archive = readOr(join(prefix, 'build-version'))?.trim();
  if (archive) return archive;
  const wheel = readOr(join(prefix, 'version.py'))?.match(/__version__ = '([^']+)'/)?.[1];
  if (wheel) return wheel;
  for (const dir of includeDirs) {
    for (const header of versionHeaders) {
      const text = readOr(join(dir, header)) ?? '';
      const numbers = ['MAJOR', 'MINOR', 'PATCH'].map(
        (part) => text.match(new RegExp(`define TORCH_VERSION_${part} +(\\d+)`))?.[1],
      );
      if (numbers.every((number) => number !== undefined)) return numbers.join('.');
    }
  }
  return undefined;
}

/**
 * Which of libstdc++'s two string layouts a libtorch was built with, read off the constructors of c10::Error: 1 the one
 * since GCC 5 (`std::__cxx11::string`), 0 the old one (PyPI's Linux wheels up to 2.6), undefined if neither is seen.
 *
 * @param {Buffer} library contents of libc10.so
 * @returns {0 | 1 | undefined}
 */
export function cxx11AbiOf(library) {
  const symbol = '_ZN3c105ErrorC';
  /** @type {0 | undefined} */
  let old;
  for (let at = library.indexOf(symbol); at >= 0; at = library.indexOf(symbol, at + 1)) {
    const name = library.toString('latin1', at, Math.max(at, library.indexOf(0, at)));
    if (name.includes('__cxx11')) return 1;
    if (name.includes('Ss')) old = 0;
  }
  return old;
}

/**
 * The C++ standard that the headers ask for: 1.13 says 14, 2.1 to 2.11 say 17, 2.12 and later 20. Never less than 17.
 *
 * @param {string} atenHeader text of ATen/ATen.h
 * @returns {17 | 20 | 23}
 */
export function cxxStandardOf(atenHeader) {
  const asked = Number(atenHeader.match(/C\+\+(\d\d) or later/)?.[1] ?? 17);
  return asked >= 23 ? 23 : asked >= 20 ? 20 : 17;
}

/**
 * The names of the libraries an ELF file needs (its DT_NEEDED entries). Reads a few kilobytes: libtorch_cpu.so has 450 MB.
 * Undefined for anything but a 64-bit little-endian ELF file.
 *
 * @param {string} path
 * @returns {string[] | undefined}
 */
export function neededLibraries(path) {
  const fd = openSync(path, 'r');
  try {
    /** @param {number} position @param {number} length */
    const read = (position, length) => {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, readSync(fd, bytes, 0, length, position));
    };
    const header = read(0, 64);
    if (header.length < 64 || header.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') return undefined;
    const size = header.readUInt16LE(54);
    const table = read(Number(header.readBigUInt64LE(32)), size * header.readUInt16LE(56));
    /** @type {{ offset: number, address: number, size: number }[]} */
    const loaded = [];
    let dynamic = Buffer.alloc(0);
    for (let at = 0; at < table.length; at += size) {
      const type = table.readUInt32LE(at);
      /** @param {number} field */
      const number = (field) => Number(table.readBigUInt64LE(at + field));
      const offset = number(8);
      const address = number(16);
      const length = number(32);
      if (type === 1) loaded.push({ offset, address, size: length });
      if (type === 2) dynamic = read(offset, length);
    }
    /** @type {number[]} */
    const names = [];
    let strings = 0;
    for (let at = 0; at + 16 <= dynamic.length; at += 16) {
      const tag = Number(dynamic.readBigInt64LE(at));
      const value = Number(dynamic.readBigUInt64LE(at + 8));
      if (tag === 1) names.push(value);
      if (tag === 5) strings = value;
    }
    const segment = loaded.find(({ address, size: length }) => strings >= address && strings < address + length);
    if (!segment) return undefined;
    const start = strings - segment.address + segment.offset;
    return names.map((name) => {
      const bytes = read(start + name, 256);
      return bytes.toString('latin1', 0, Math.max(0, bytes.indexOf(0)));
    });
  } finally {
    closeSync(fd);
  }
}

/**
 * The OpenMP runtime a libtorch carries beside its libraries (wheels and archives do, under names of their own). The addon
 * must link that very file: with the system's there would be two thread pools in one process.
 *
 * @param {string} core path of libtorch_cpu
 * @param {string} libDir
 */
function bundledOpenmp(core, libDir) {
  const isOpenmp = /^lib(gomp|iomp5|omp)\b/;
  const names = neededLibraries(core) ?? readdirSync(libDir);
  return [libDir, join(libDir, '../../torch.libs')]
    .flatMap((dir) => names.filter((name) => isOpenmp.test(name)).map((name) => join(dir, name)))
    .find((path) => existsSync(path));
}

/**
 * Look at one place. Returns a Libtorch, or what is missing there.
 *
 * @param {Libtorch['source']} source
 * @param {string} prefix
 * @param {{ include: string, lib: string }} place
 * @param {NodeJS.Platform} platform
 * @returns {Libtorch | string}
 */
export function inspect(source, prefix, { include, lib }, platform) {
  const suffix = librarySuffix(platform);
  const header = join(include, 'ATen/ATen.h');
  const missing = [
    ...(existsSync(header) ? [] : [`the headers (${header})`]),
    ...['libtorch_cpu', 'libc10']
      .map((name) => join(lib, name + suffix))
      .filter((path) => !existsSync(path))
      .map((path) => `the library ${path}`),
  ];
  if (missing.length > 0) return `missing: ${missing.join(', ')}`;

  const includeDirs = [include, join(include, 'torch/csrc/api/include')].filter(isFolder);
  /** @param {string} name */
  const library = (name) => join(lib, `lib${name}${suffix}`);
  const cudaLibraries = ['torch_cuda', 'c10_cuda'].map(library).filter((path) => existsSync(path));
  const version = readVersion(prefix, includeDirs);
  const core = realpathSync(library('torch_cpu'));
  const { size, mtimeMs } = statSync(core);
  const identity = createHash('sha256').update(JSON.stringify([core, size, mtimeMs, include, version]));
  return {
    source,
    root: prefix,
    version,
    includeDirs,
    libDir: lib,
    libraries: [library('torch_cpu'), library('c10')],
    cudaLibraries: cudaLibraries.length === 2 ? cudaLibraries : [],
    cuda: cudaLibraries.length === 2,
    openmp: bundledOpenmp(core, lib),
    usesOpenmp: /define AT_PARALLEL_OPENMP 1/.test(readOr(join(include, 'ATen/Config.h')) ?? ''),
    cxx11Abi: platform === 'darwin' ? undefined : cxx11AbiOf(readFileSync(library('c10'))),
    cxxStandard: cxxStandardOf(readOr(header) ?? ''),
    identity: identity.digest('hex').slice(0, 16),
  };
}
