// From what a compiler or a dynamic loader prints to the likely cause and what to do. Shared by the build and the loader.

/**
 * The likely cause of a failure and one line of what to do.
 *
 * @typedef {object} Diagnosis
 * @property {string} cause
 * @property {string} remedy
 * @property {string} [missingLibrary] The shared library that was not found, if that was it.
 */

/**
 * The lines of a compiler's output that matter: from the first error on, without the tower of template instantiations.
 *
 * @param {string} output
 * @param {number} [most]
 */
export function firstErrors(output, most = 12) {
  const lines = output
    .split('\n')
    .filter((line) => line.trim() && !/^\s*(In file included from|from |\.\.\.)/.test(line));
  const first = lines.findIndex((line) => /\b(fatal )?error\b|undefined reference|cannot find|ld returned/i.test(line));
  return lines.slice(Math.max(0, first), Math.max(0, first) + most).join('\n');
}

/**
 * Why a compilation or a link failed, as far as its output tells.
 *
 * @param {string} output
 * @param {{ signal?: NodeJS.Signals | null }} [how]
 * @returns {Diagnosis}
 */
export function diagnoseCompile(output, { signal } = {}) {
  const missing = output.match(/fatal error: '?([^':\s]+)'?(: No such file| {1,2}file not found)/)?.[1];
  if (missing === 'node_api.h') {
    return { cause: 'the Node-API headers are missing', remedy: 'npm ci (it installs node-api-headers)' };
  }
  if (missing === 'omp.h') {
    return { cause: "the compiler's OpenMP headers are missing", remedy: 'install libgomp (GCC) or libomp (clang)' };
  }
  if (missing && /^(ATen|c10|torch|caffe2)\//.test(missing)) {
    return {
      cause: `libtorch's header ${missing} is missing: its headers are incomplete or of another version`,
      remedy: 'reinstall libtorch with its headers (Debian: libtorch-dev), or point LIBTORCH at a complete one',
    };
  }
  if (missing) {
    const known = /^[a-z_]+$/.test(missing);
    return {
      cause: `the header ${missing} is missing`,
      remedy: known ? "install the compiler's C++ standard library (Debian: g++)" : 'install the package that holds it',
    };
  }
  if (/No space left on device/.test(output))
    return { cause: 'the disk is full', remedy: 'free some space and try again' };
  if (signal === 'SIGKILL' || /Killed signal terminated program|out of memory|Cannot allocate memory/i.test(output)) {
    return {
      cause: 'the compiler was killed, most likely for want of memory',
      remedy: 'free memory, or build one file at a time with THRIVE_JOBS=1',
    };
  }
  if (
    /C\+\+\d\d or later compatible compiler is required|unrecognized command.line option '?-std=|invalid value 'c\+\+\d\d'/.test(
      output,
    )
  ) {
    return { cause: 'the compiler is too old for this libtorch', remedy: 'install a newer one and name it in CXX' };
  }
  if (/undefined reference to .*(__cxx11|std::string|basic_string)/.test(output)) {
    return {
      cause: "libtorch was built with another layout of std::string (libstdc++'s C++11 ABI)",
      remedy: 'use the compiler that libtorch was built with, or another build of libtorch',
    };
  }
  if (/undefined reference to .*(at::|c10::|torch::|caffe2::)|Undefined symbols for architecture/.test(output)) {
    return {
      cause: "libtorch's headers and libraries do not belong together",
      remedy: 'remove all libtorch installations but one, or name it in LIBTORCH',
    };
  }
  const library = output.match(/cannot find (-l\S+|\S+\.so\S*)/)?.[1];
  if (library) return { cause: `the linker cannot find ${library}`, remedy: 'install the package that holds it' };
  return { cause: 'the source does not compile against this libtorch', remedy: 'report it with the output above' };
}

/**
 * Why a built addon did not load, from dlopen's message.
 *
 * @param {string} message
 * @param {{ fresh?: boolean }} [when] fresh: it was built a moment ago, so building again would not help
 * @returns {Diagnosis}
 */
export function diagnoseLoad(message, { fresh = false } = {}) {
  const missing =
    message.match(/(\S+\.so[.\d]*): cannot open shared object file/)?.[1] ??
    message.match(/Library not loaded: (\S+)/)?.[1];
  if (missing) {
    const torch = /lib(torch|c10)/.test(missing);
    const cuda = /lib(cu|nv|nccl)/.test(missing);
    return {
      cause: `the shared library ${missing} was not found`,
      missingLibrary: missing,
      remedy: torch
        ? 'libtorch has moved or was removed: install it again or set LIBTORCH, then npx thrive setup'
        : cuda
          ? 'it belongs to CUDA: install the nvidia packages that this PyTorch asks for, or use a CPU build of libtorch'
          : 'install the package that holds it, or add its folder to LD_LIBRARY_PATH',
    };
  }
  const glibcxx = message.match(/version [`'](GLIBCXX_[\d.]+|GLIBC_[\d.]+|CXXABI_[\d.]+)' not found/)?.[1];
  if (glibcxx) {
    return {
      cause: `the libstdc++ or glibc found first is older than the one it was built with (${glibcxx} is missing)`,
      remedy: 'start outside conda and with LD_LIBRARY_PATH unset, or rebuild here: npx thrive setup --force',
    };
  }
  if (/undefined symbol|symbol not found/i.test(message)) {
    return fresh
      ? {
          cause: "libtorch's headers and libraries do not belong together, or its string layout was mistaken",
          remedy: 'remove all libtorch installations but one, or name it in LIBTORCH',
        }
      : {
          cause: 'it was built against another libtorch than the one that is loaded now',
          remedy: 'rebuild it: npx thrive setup --force',
        };
  }
  if (/static TLS block/.test(message)) {
    const library = message.match(/(\S+\.so[.\d]*): cannot allocate/)?.[1] ?? 'the library named above';
    return {
      cause: `${library} must be loaded before everything else`,
      remedy: `set LD_PRELOAD=${library} and start again`,
    };
  }
  if (/wrong ELF class|invalid ELF header|incompatible architecture|Exec format|wrong architecture/.test(message)) {
    return {
      cause: 'it was built for another kind of processor or system',
      remedy: 'rebuild it here: npx thrive setup',
    };
  }
  if (/file too short|truncated|object file has no/.test(message)) {
    return { cause: 'the built file is not whole', remedy: 'rebuild it: npx thrive setup --force' };
  }
  if (/cannot open shared object file|no such file|ENOENT|Cannot find module/i.test(message)) {
    return { cause: 'the built file is gone', remedy: 'rebuild it: npx thrive setup' };
  }
  if (fresh) return { cause: '', remedy: 'report it with the output above' };
  return { cause: 'the dynamic loader refused it', remedy: 'rebuild it: npx thrive setup --force' };
}
