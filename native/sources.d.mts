export function hashOf(value: unknown): string;
export function closureOf(path: string, seen?: Map<string, string>): Map<string, string>;
export function sourcesIn(dir: string): { name: string; path: string; hash: string; size: number }[];
export function hasChanged(source: { path: string; hash: string }): boolean;
