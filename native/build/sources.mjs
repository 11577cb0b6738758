// The addon's source files and what their object files depend on.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** @param {unknown} value */
export const hashOf = (value) => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);

/**
 * The addon's own headers that a file includes, directly or not. libtorch's are told apart by its identity instead.
 *
 * @param {string} path
 * @param {Map<string, string>} [seen] path to contents
 */
export function closureOf(path, seen = new Map()) {
  if (seen.has(path)) return seen;
  const text = readFileSync(path, 'utf8');
  seen.set(path, text);
  for (const [, name = ''] of text.matchAll(/^[ \t]*#[ \t]*include[ \t]+"([^"]+)"/gm)) {
    const header = join(dirname(path), name);
    if (existsSync(header)) closureOf(header, seen);
  }
  return seen;
}

/**
 * @param {string} path
 * @returns {{ hash: string, size: number }} the hash of all that an object file is made of, and the size of the file itself
 */
function measure(path) {
  const files = [...closureOf(path)].map(([file, text]) => [relative(dirname(path), file), text]);
  return { hash: hashOf(files), size: files[0]?.[1]?.length ?? 0 };
}

/**
 * Whether a file, or a header it includes, is no longer what it was when `sourcesIn` looked.
 *
 * @param {{ path: string, hash: string }} source
 */
export function hasChanged({ path, hash }) {
  return !existsSync(path) || measure(path).hash !== hash;
}

/**
 * Every `.cc` of a folder with the hash of all that it is made of, longest first: the longest compile starts first.
 *
 * @param {string} dir
 * @returns {{ name: string, path: string, hash: string, size: number }[]}
 */
export function sourcesIn(dir) {
  return readdirSync(dir)
    .filter((name) => name.endsWith('.cc'))
    .map((name) => ({ name, path: join(dir, name), ...measure(join(dir, name)) }))
    .sort((a, b) => b.size - a.size || a.name.localeCompare(b.name));
}
