import { closeSync, createReadStream, mkdirSync, openSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { errorCode, UserError } from '../base/errors.ts';
import { fileError, writeFully } from '../base/files.ts';

const BLOCK = 512;
/** Files that are not wanted may take this much on top of those that are, before the archive is taken for a bomb. */
const SLACK = 64 * 2 ** 20;

/**
 * Unpack the named files of a .tar.gz (POSIX ustar) into a folder, under their last name. Everything else is skipped, so no
 * path of the archive is ever used; one that climbs out of its folder is refused all the same, for it is not what it seems.
 *
 * @param members path in the archive → the largest size allowed, in bytes
 * @throws UserError when the archive is damaged, truncated or hostile, lacks one of the files, or the disk is full
 */
export async function extractTarGz(
  archive: string,
  members: Readonly<Record<string, number>>,
  folder: string,
): Promise<void> {
  const refuse = (what: string, cause?: unknown): UserError =>
    new UserError(`${archive} ${what}`, {
      hint: 'remove it and download it again',
      ...(cause === undefined ? {} : { cause }),
    });
  const reader = new TarReader(members, folder, refuse);
  const file = createReadStream(archive);
  const gunzip = createGunzip();
  file.on('error', (error) => gunzip.destroy(error)).pipe(gunzip);
  try {
    mkdirSync(folder, { recursive: true });
    for await (const chunk of gunzip) reader.take(chunk as Buffer);
    reader.end();
  } catch (error) {
    if (error instanceof UserError) throw error;
    const code = errorCode(error);
    if (code === 'Z_BUF_ERROR') throw refuse('is truncated: its gzip stream ends early', error);
    if (code?.startsWith('Z_')) throw refuse('is not a gzip file, or a damaged one', error);
    throw fileError('unpack', archive, error);
  } finally {
    file.destroy();
    gunzip.destroy();
    reader.close();
  }
}

class TarReader {
  private readonly members: Readonly<Record<string, number>>;
  private readonly folder: string;
  private readonly refuse: (what: string) => UserError;
  private readonly header = Buffer.alloc(BLOCK);
  private readonly found = new Set<string>();
  private headerFilled = 0;
  /** Bytes of the current file still to come, and of the padding after it. */
  private data = 0;
  private padding = 0;
  private total = 0;
  private ended = false;
  private fd: number | undefined;

  constructor(members: Readonly<Record<string, number>>, folder: string, refuse: (what: string) => UserError) {
    this.members = members;
    this.folder = folder;
    this.refuse = refuse;
  }

  take(chunk: Buffer): void {
    this.total += chunk.length;
    const allowed = Object.values(this.members).reduce((sum, size) => sum + size, SLACK);
    if (this.total > allowed) throw this.refuse(`unpacks to more than the ${allowed} bytes it should`);
    for (let at = 0; at < chunk.length && !this.ended; ) {
      if (this.data > 0) {
        const part = chunk.subarray(at, at + this.data);
        if (this.fd !== undefined) writeFully(this.fd, part);
        this.data -= part.length;
        at += part.length;
        if (this.data === 0) this.close();
      } else if (this.padding > 0) {
        const skipped = Math.min(this.padding, chunk.length - at);
        this.padding -= skipped;
        at += skipped;
      } else {
        const copied = chunk.copy(this.header, this.headerFilled, at, at + BLOCK - this.headerFilled);
        this.headerFilled += copied;
        at += copied;
        if (this.headerFilled === BLOCK) this.startEntry();
      }
    }
  }

  end(): void {
    if (this.data > 0 || this.headerFilled > 0) throw this.refuse('is truncated: it ends within a file');
    const missing = Object.keys(this.members).filter((name) => !this.found.has(name));
    if (missing.length > 0) throw this.refuse(`does not contain ${missing.join(', ')}`);
  }

  close(): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }

  private startEntry(): void {
    const { header } = this;
    this.headerFilled = 0;
    if (header.every((byte) => byte === 0)) {
      this.ended = true;
      return;
    }
    const sum = header.reduce((a, byte, i) => a + (i >= 148 && i < 156 ? 32 : byte), 0);
    if (octal(header, 148, 8) !== sum) throw this.refuse('is not a tar archive, or a damaged one');
    const size = octal(header, 124, 12);
    if (!(size >= 0 && size < 2 ** 40)) throw this.refuse('holds a file of impossible size');
    const prefix = text(header, 345, 155);
    const ustar = text(header, 257, 5) === 'ustar';
    const name = (ustar && prefix ? `${prefix}/${text(header, 0, 100)}` : text(header, 0, 100)).replace(/^(\.\/)+/, '');
    if (/^[/\\]|^[a-z]:/i.test(name) || name.split(/[/\\]/).includes('..')) {
      throw this.refuse(`holds the path '${name}', which leads out of its folder`);
    }
    this.data = size;
    this.padding = (BLOCK - (size % BLOCK)) % BLOCK;
    if (!Object.hasOwn(this.members, name)) return;
    const type = header[156]!;
    if (type !== 0 && type !== 0x30) throw this.refuse(`holds '${name}' as something else than a plain file`);
    if (this.found.has(name)) throw this.refuse(`holds '${name}' twice`);
    if (size > this.members[name]!)
      throw this.refuse(`holds '${name}' of ${size} bytes; at most ${this.members[name]} expected`);
    this.found.add(name);
    this.fd = openSync(join(this.folder, basename(name)), 'w');
    if (size === 0) this.close();
  }
}

const text = (header: Buffer, start: number, length: number): string => {
  const field = header.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? length : end);
};

const octal = (header: Buffer, start: number, length: number): number => {
  const digits = text(header, start, length).trim();
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
};
