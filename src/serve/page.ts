/** @file The built page, in memory: what is not in this list is not served. */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from '../base/errors.ts';

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export interface Asset {
  body: Uint8Array<ArrayBuffer>;
  type: string;
}

/** Where `npm run build` puts the page; the same from src/ and from dist/. */
const built = fileURLToPath(new URL('../../dist/dashboard', import.meta.url));

/** The page's files by their paths, `/` for the page itself. @throws UserError where it was not built */
export function loadPage(folder = built): Map<string, Asset> {
  const assets = new Map<string, Asset>();
  let names: string[];
  try {
    names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch (error) {
    throw new UserError('the dashboard was not built', { hint: 'npm run build', cause: error });
  }
  for (const name of names) {
    const type = types[extname(name)];
    if (!type) continue;
    const body = new Uint8Array(readFileSync(join(folder, name)));
    assets.set(name === 'index.html' ? '/' : `/${name}`, { body, type });
  }
  if (!assets.has('/')) throw new UserError('the dashboard was not built', { hint: 'npm run build' });
  return assets;
}
