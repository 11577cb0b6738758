import type { Libtorch } from './locate.mjs';

export function inspect(
  source: Libtorch['source'],
  prefix: string,
  place: { include: string; lib: string },
  platform: NodeJS.Platform,
): Libtorch | string;
export function readVersion(prefix: string, includeDirs: string[]): string | undefined;
export function cxx11AbiOf(library: Buffer): 0 | 1 | undefined;
export function cxxStandardOf(atenHeader: string): 17 | 20 | 23;
export function neededLibraries(path: string): string[] | undefined;
export function librarySuffix(platform: NodeJS.Platform): string;
export function isFolder(path: string): boolean;
