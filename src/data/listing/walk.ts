/** @file The image files below a folder, in the order in which torchvision's ImageFolder has them. */
import { type Dirent, readdirSync, realpathSync, statSync } from 'node:fs';
import { extname, join, sep } from 'node:path';
import { withFileErrors } from '../../base/files.ts';
import { byName, type Ignored } from './listing.ts';

/** What the decoders read. Case does not matter; what a file holds is told by its bytes. */
const extensions = new Set(['.jpg', '.jpeg', '.png', '.webp', '.avif', '.gif', '.tif', '.tiff']);

export const isImageName = (name: string): boolean => extensions.has(extname(name).toLowerCase());

/** A folder's entries by kind, links followed; hidden ones left out and counted. */
export function readFolder(folder: string, ignored: Ignored): { folders: string[]; files: string[] } {
  const folders: string[] = [];
  const files: string[] = [];
  const entries = withFileErrors('read', folder, () => readdirSync(folder, { withFileTypes: true }));
  for (const entry of entries) {
    if (entry.name.startsWith('.')) ignored.hidden++;
    else {
      const kind = kindOf(folder, entry);
      if (kind === 'folder') folders.push(entry.name);
      else if (kind === 'file') files.push(entry.name);
      else ignored.links++;
    }
  }
  return { folders: folders.sort(byName), files: files.sort(byName) };
}

function kindOf(folder: string, entry: Dirent): 'folder' | 'file' | 'nothing' {
  if (entry.isDirectory()) return 'folder';
  if (entry.isFile()) return 'file';
  if (!entry.isSymbolicLink()) return 'nothing';
  try {
    const found = statSync(join(folder, entry.name));
    return found.isDirectory() ? 'folder' : found.isFile() ? 'file' : 'nothing';
  } catch {
    return 'nothing';
  }
}

/**
 * Paths of the images below `folder`, relative to `root`, folder after folder in the order of their names. A folder that leads back
 * into one it lies in, the root included, is not entered: its images are of other classes.
 */
export function imagesBelow(root: string, folder: string, ignored: Ignored): string[] {
  const found: [folder: string, files: string[]][] = [];
  const visit = (path: string, above: readonly string[]): void => {
    const real = withFileErrors('read', join(root, path), () => realpathSync(join(root, path)));
    if (above.includes(real)) {
      ignored.links++;
      return;
    }
    const { folders, files } = readFolder(join(root, path), ignored);
    const images = files.filter((name) => {
      if (isImageName(name)) return true;
      const kind = extname(name).toLowerCase() || 'no extension';
      ignored.others[kind] = (ignored.others[kind] ?? 0) + 1;
      return false;
    });
    found.push([path, images]);
    for (const name of folders) visit(join(path, name), [...above, real]);
  };
  const parts = folder.split(sep).filter((part) => part !== '');
  const above = parts.map((_, depth) => join(root, ...parts.slice(0, depth)));
  visit(
    folder,
    above.map((path) => withFileErrors('read', path, () => realpathSync(path))),
  );
  found.sort(([a], [b]) => byName(a, b));
  return found.flatMap(([path, files]) => files.map((name) => join(path, name)));
}
