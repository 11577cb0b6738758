/** @file What tells a user's code from any other: its file and those of its own that it imports. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { dirname, extname, relative, resolve, sep } from 'node:path';
import { fileHash } from './file-hash.ts';

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

/** The file and, in turn, every file that it imports by a relative path, in alphabetical order. Packages are not followed. */
function filesOf(entry: string): string[] {
  const found = new Set<string>();
  const visit = (path: string): void => {
    if (found.has(path)) return;
    found.add(path);
    if (path.endsWith('.json')) return;
    for (const [, , specifier] of readFileSync(path, 'utf8').matchAll(specifiers)) {
      const next = resolved(specifier!, path);
      if (next) visit(next);
    }
  };
  visit(entry);
  return [...found].sort();
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
  const files = filesOf(entry);
  if (files.length === 1) return fileHash(entry);
  const hash = createHash('sha256');
  for (const file of files) {
    const name = relative(dirname(entry), file).split(sep).join('/');
    hash.update(`${fileHash(file)} ${name}\n`);
  }
  return hash.digest('hex');
}
