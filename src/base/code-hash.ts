/** @file What tells a user's code from any other: its file and those of its own that it imports. */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { dirname, extname, relative, resolve, sep } from 'node:path';
import { readFileBytes } from './file-bytes.ts';

/** `import … from './x'`, `export … from './x'`, `import './x'`, `import('./x')`, `require('./x')`. */
const specifiers = /\b(?:from|import|require)\s*\(?\s*(['"])(\.{1,2}\/[^'"\n]*)\1/g;

const endings = ['', '.ts', '.mts', '.cts', '.js', '.mjs', '.cjs', '.json', '/index.ts', '/index.js'];
/** A file that TypeScript calls by the name it is compiled to. */
const sources: Record<string, string> = { '.js': '.ts', '.mjs': '.mts', '.cjs': '.cts' };

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

function resolved(specifier: string, from: string): string | undefined {
  const path = resolve(dirname(from), specifier);
  const ending = extname(path);
  const source = sources[ending];
  const places = endings.map((other) => path + other);
  if (source) places.push(path.slice(0, -ending.length) + source);
  return places.find(isFile);
}

const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');

/** The SHA-256 of the file and, in turn, of every file that it imports by a relative path. Packages are not followed. */
function hashesOf(entry: string): Map<string, string> {
  const found = new Map<string, string>();
  const visit = (path: string): void => {
    if (found.has(path)) return;
    const { data } = readFileBytes(path);
    found.set(path, sha256(data));
    if (path.endsWith('.json')) return;
    for (const [, , specifier] of new TextDecoder().decode(data).matchAll(specifiers)) {
      const next = resolved(specifier!, path);
      if (next) visit(next);
    }
  };
  visit(entry);
  return found;
}

/**
 * SHA-256, in hexadecimal, of a file of code and of what it imports by relative paths, wherever the folder lies. Of a file that
 * imports none it is the file's own SHA-256. What a comment seems to import counts too, if it is there: that only makes the hash
 * change more often.
 *
 * @throws Error where a file cannot be read
 */
export function codeHash(path: string): string {
  const entry = resolve(path);
  const hashes = hashesOf(entry);
  if (hashes.size === 1) return hashes.get(entry)!;
  const line = ([file, hash]: [string, string]): string =>
    `${hash} ${relative(dirname(entry), file).split(sep).join('/')}\n`;
  return sha256([...hashes].sort().map(line).join(''));
}
