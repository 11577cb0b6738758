import { createHash } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  createWriteStream,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { errorCode, UserError } from '../base/errors.ts';
import { fileError, withFileErrors, writeFully } from '../base/files.ts';
import { toGive } from '../base/speech.ts';

/** The MD5 of a file, in hexadecimal. */
export async function md5(path: string): Promise<string> {
  const hash = createHash('md5');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  } catch (error) {
    throw fileError('read', path, error);
  }
  return hash.digest('hex');
}

/** What identifies the version of a file at an address: sent back as If-Range, so that two versions are never joined. */
interface Note {
  url: string;
  validator: string;
}

/**
 * The beginning of a download: `path.part`, and `path.part.json` beside it, which says of which version of which address. A
 * beginning without such a note is never continued.
 */
export class PartFile {
  private readonly path: string;
  readonly part: string;
  private readonly note: string;

  constructor(path: string) {
    this.path = path;
    this.part = `${path}.part`;
    this.note = `${path}.part.json`;
  }

  /** How much an earlier try left that can be continued from this address. */
  begun(url: string): { size: number; validator: string | undefined } {
    try {
      const note = JSON.parse(readFileSync(this.note, 'utf8')) as Partial<Note>;
      const { size } = statSync(this.part);
      if (note.url === url && typeof note.validator === 'string') return { size, validator: note.validator };
    } catch {
      // nothing there, or a damaged note: begin again
    }
    return { size: 0, validator: undefined };
  }

  discard(): void {
    rmSync(this.part, { force: true });
    rmSync(this.note, { force: true });
  }

  /** Open for appending, or anew with a note. @throws UserError naming the path, as writing does */
  open(append: boolean, url: string, validator: string | undefined): PartWriter {
    return onDisk(this.part, () => {
      mkdirSync(dirname(this.path), { recursive: true });
      if (!append) rmSync(this.note, { force: true });
      const writer = new PartWriter(this.part, openSync(this.part, append ? 'a' : 'w'));
      if (!append && validator) writeFileSync(this.note, JSON.stringify({ url, validator } satisfies Note));
      return writer;
    });
  }

  /** Undo the packing that a server added, if the file is then the published one. */
  async unpack(expected: string): Promise<boolean> {
    if ((await md5(this.part)) === expected) return true;
    const plain = `${this.part}.plain`;
    try {
      await pipeline(createReadStream(this.part), createGunzip(), createWriteStream(plain));
      if ((await md5(plain)) !== expected) return false;
      renameSync(plain, this.part);
      return true;
    } catch {
      return false; // not packed by gzip, or no space: the check of the file itself says what is wrong
    } finally {
      rmSync(plain, { force: true });
    }
  }

  /** Give the file its final name. */
  moveIntoPlace(): void {
    withFileErrors('move into place', this.path, () => {
      renameSync(this.part, this.path);
      rmSync(this.note, { force: true });
    });
  }
}

/** An open `.part`. */
export class PartWriter {
  private readonly part: string;
  private readonly fd: number;

  constructor(part: string, fd: number) {
    this.part = part;
    this.fd = fd;
  }

  write(chunk: Uint8Array): void {
    onDisk(this.part, () => writeFully(this.fd, chunk));
  }

  flush(): void {
    onDisk(this.part, () => fsyncSync(this.fd));
  }

  close(): void {
    closeSync(this.fd);
  }
}

function onDisk<T>(part: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const { message } = fileError('write', part, error);
    const hint = errorCode(error) === 'ENOSPC' ? 'free some space' : `choose another folder: ${toGive('dataDir')}`;
    throw new UserError(message, { hint: `${hint} and run it again; what arrived is kept`, cause: error });
  }
}
