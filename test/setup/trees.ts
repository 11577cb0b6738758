import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach } from 'vitest';

const made: string[] = [];
afterEach(() => {
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true, force: true });
});

/** A temporary folder with these files, removed after the test. A value `-> target` makes a symbolic link. */
export function tree(files: Record<string, string> = {}): string {
  const root = mkdtempSync(join(tmpdir(), 'thrive-setup-'));
  made.push(root);
  for (const [name, text] of Object.entries(files)) {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    if (text.startsWith('-> ')) symlinkSync(text.slice(3), path);
    else writeFileSync(path, text);
  }
  return root;
}

/** Symbols as libc10.so has them, built with the old and the new std::string (read off PyTorch 2.5.1 and 2.15.0). */
export const oldStringSymbol = '\0_ZN3c105ErrorC1ENS_14SourceLocationESs\0';
export const newStringSymbol =
  '\0_ZN3c105ErrorC1ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE\0';

/** The files of a libtorch as the locator looks at them. */
export function libtorchFiles(
  prefix: string,
  { include = 'include', lib = 'lib', suffix = '.so', symbols = newStringSymbol, standard = 17, extra = {} } = {},
): Record<string, string> {
  const at = (...parts: string[]) => join(prefix, ...parts);
  return {
    [at(include, 'ATen/ATen.h')]:
      `#if __cplusplus\n#error C++${standard} or later compatible compiler is required to use ATen.\n`,
    [at(include, 'ATen/Config.h')]: '#define AT_PARALLEL_OPENMP 1\n',
    [at(include, 'torch/csrc/api/include/torch/version.h')]:
      '#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 1\n#define TORCH_VERSION_PATCH 2\n',
    [at(lib, `libtorch_cpu${suffix}`)]: 'not a library',
    [at(lib, `libc10${suffix}`)]: symbols,
    ...extra,
  };
}
