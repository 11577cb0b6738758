/** One file to fetch. */
export interface SourceFile {
  file: string;
  /** Where it is published, the first choice first. */
  urls: readonly string[];
  /** As published beside it. MD5 finds damage, not forgery; that is what it is used for here. */
  md5: string;
  bytes: number;
}

/** How a dataset gets onto the disk. */
export interface Source {
  /** The folder below the data folder, named as the readers look for it. */
  folder: string;
  files: readonly SourceFile[];
  /** When the one file is a .tar.gz: what to take out of it (path → largest size in bytes). */
  members?: Readonly<Record<string, number>>;
}

/** A file that several pages have under the same name. */
export const mirrored = (pages: readonly string[], file: string, md5: string, bytes: number): SourceFile => ({
  file,
  urls: pages.map((page) => `${page}/${file}`),
  md5,
  bytes,
});
