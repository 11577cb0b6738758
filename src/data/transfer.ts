import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorCode, errorMessage, UserError } from '../base/errors.ts';
import { type Answer, get, Unreachable } from './http-get.ts';
import { md5, PartFile, type PartWriter } from './part-file.ts';
import type { SourceFile } from './source.ts';
import { webPageWords } from './web-page.ts';

/** How far a file has come, in bytes. */
export interface Progress {
  file: string;
  received: number;
  total: number;
}

export interface TransferOptions {
  onProgress?: (progress: Progress) => void;
  /** Aborting keeps what has arrived; the next run continues there. */
  signal?: AbortSignal;
  /** Tries at each address, 4 by default. */
  attempts?: number;
  /** Seconds before the second try, doubled each time; 1 by default. */
  retryDelay?: number;
  /** Seconds without a byte after which a connection counts as broken; 60 by default. */
  idleTimeout?: number;
}

/** Worth another try at the same address, after so many seconds where the server says it. */
class Transient extends Error {
  readonly wait: number | undefined;

  constructor(message: string, wait?: number) {
    super(message);
    this.wait = wait;
  }
}
/** Not worth another try at this address; another may do. */
class Refused extends Error {}

/**
 * Fetch one file: into `path.part` first, continued where an earlier try or run stopped if the server can, checked against
 * size and MD5, then moved into place. A right file that is there already is left alone, a wrong one replaced.
 *
 * @throws UserError naming every address tried and why it failed; or that the disk is full
 */
export async function transfer(source: SourceFile, path: string, options: TransferOptions = {}): Promise<void> {
  const { attempts = 4, retryDelay = 1, signal } = options;
  if (existsSync(path) && (await md5(path)) === source.md5) return;
  const file = new PartFile(path);
  const failures: string[] = [];
  for (const url of source.urls) {
    for (let attempt = 1; ; attempt++) {
      try {
        const continued = await receive(url, source, file, options);
        await verify(source, file, continued);
        return;
      } catch (error) {
        signal?.throwIfAborted();
        const retry = error instanceof Transient && attempt < attempts;
        if (!retry && !(error instanceof Transient || error instanceof Refused)) throw error;
        if (!retry) {
          failures.push(`${url}: ${errorMessage(error)}${attempt > 1 ? ` (${attempt} tries)` : ''}`);
          break;
        }
        const wait = error.wait ?? retryDelay * 2 ** (attempt - 1);
        await sleep(wait * 1000, undefined, signal ? { signal } : {});
      }
    }
  }
  throw new UserError(`cannot download ${source.file}: ${failures.join('; ')}`, {
    hint: `check the connection and run it again (it goes on where it stopped if the server can), or put the file at ${path} yourself`,
  });
}

/** Fill the part. True when it begins with what an earlier try had left. */
async function receive(url: string, source: SourceFile, file: PartFile, options: TransferOptions): Promise<boolean> {
  const { idleTimeout = 60 } = options;
  const begun = file.begun(url);
  if (begun.size === source.bytes) return true;
  if (begun.size > source.bytes) {
    file.discard();
    begun.size = 0;
  }
  const stalled = new AbortController();
  const stall = (): void => stalled.abort(new Transient(`no data for ${idleTimeout} s`));
  let timer = setTimeout(stall, idleTimeout * 1000);
  let body: Answer['body'] | undefined;
  let writer: PartWriter | undefined;
  let spoiled = false;
  try {
    const signals = options.signal ? [options.signal, stalled.signal] : [stalled.signal];
    const headers: Record<string, string> = { 'Accept-Encoding': 'identity' };
    if (begun.size > 0 && begun.validator) {
      headers.Range = `bytes=${begun.size}-`;
      headers['If-Range'] = begun.validator;
    }
    const response = await get(url, headers, AbortSignal.any(signals));
    body = response.body;
    const { start, wrong } = judge(response, begun, source, file);
    const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    const opening = start > 0 ? noBytes : ((await chunks.next()).value ?? noBytes);
    const words = start > 0 ? undefined : webPageWords(opening, response.headers['content-type']);
    if (words !== undefined) throw new Refused(`a web page, not the file${words && `: "${words}"`}`);
    if (wrong) throw wrong;
    // A server that packs on its way sends other bytes each time: only what is the file as published can be continued.
    const packed = isPacked(response);
    writer = file.open(start > 0, url, packed ? undefined : validatorOf(response.headers));
    const most = packed ? source.bytes * 1.01 + 65_536 : source.bytes;
    let received = start;
    const take = (chunk: Uint8Array): void => {
      clearTimeout(timer);
      timer = setTimeout(stall, idleTimeout * 1000);
      received += chunk.length;
      if (received > most) throw new Refused(`it sends more than the ${source.bytes} bytes the file has`);
      writer?.write(chunk);
      options.onProgress?.({ file: source.file, received: Math.min(received, source.bytes), total: source.bytes });
    };
    take(opening);
    for (;;) {
      const { done, value } = await chunks.next();
      if (done) break;
      take(value);
    }
    writer.flush();
    if (packed && (await file.unpack(source.md5))) return false;
    if (received < source.bytes) {
      throw new Transient(`the connection ended after ${received} of ${source.bytes} bytes`);
    }
    return start > 0;
  } catch (error) {
    spoiled = error instanceof Refused && writer !== undefined;
    throw translate(error, stalled.signal, options.signal);
  } finally {
    clearTimeout(timer);
    writer?.close();
    if (spoiled) file.discard();
    body?.destroy(); // closes the connection when the body was not read to its end
  }
}

const noBytes = new Uint8Array(0);

/** Sent with a Content-Encoding: mostly a .gz file as it is, sometimes a file that was packed for the way. */
const isPacked = ({ headers }: Answer): boolean => /gzip|deflate|br|zstd/i.test(headers['content-encoding'] ?? '');

/** What a person can do about an answer. */
const meanings: Readonly<Record<number, string>> = {
  401: 'it wants a login',
  403: 'the server refuses access to it',
  404: 'it is not there',
  407: 'the proxy wants a user and a password: http://user:password@host:port',
  410: 'it is not there any more',
  429: 'the server is asked too often: try again later',
};

/** Seconds that a server asks to wait, a minute at most. */
function retryAfter({ headers }: Answer): number | undefined {
  const seconds = Number(headers['retry-after']);
  return seconds > 0 ? Math.min(seconds, 60) : undefined;
}

/** Where the body that follows belongs in the file, and what its head says is wrong with it. Throws when it is of no use. */
function judge(
  response: Answer,
  begun: { size: number; validator: string | undefined },
  source: SourceFile,
  file: PartFile,
): { start: number; wrong?: Refused } {
  const { status, headers } = response;
  if (status === 206) {
    const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers['content-range'] ?? '');
    const changed = validatorOf(headers) !== undefined && validatorOf(headers) !== begun.validator;
    if (
      !range ||
      Number(range[1]) !== begun.size ||
      changed ||
      (range[3] !== '*' && Number(range[3]) !== source.bytes)
    ) {
      file.discard();
      throw new Transient('the server cannot continue the file that was begun');
    }
    return { start: begun.size };
  }
  if (status === 416) {
    file.discard();
    throw new Transient('the server cannot continue the file that was begun');
  }
  if (status !== 200) {
    const meaning = meanings[status] ? ` (${meanings[status]})` : '';
    const what = `HTTP ${status}${response.reason ? ` ${response.reason}` : ''}${meaning}`;
    if (status === 408 || status === 429 || status >= 500) throw new Transient(what, retryAfter(response));
    throw new Refused(what);
  }
  const length = headers['content-length'];
  if (length !== undefined && !isPacked(response) && Number(length) !== source.bytes) {
    return { start: 0, wrong: new Refused(`it offers ${length} bytes where the published file has ${source.bytes}`) };
  }
  return { start: 0 };
}

/** A strong ETag, else the date: what If-Range accepts (RFC 9110, 13.1.5). */
function validatorOf(headers: Answer['headers']): string | undefined {
  const { etag, 'last-modified': date } = headers;
  return etag && !etag.startsWith('W/') ? etag : date;
}

const networkReasons: Record<string, string> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  ENOTFOUND: 'the host is unknown: is there a network connection?',
  EAI_AGAIN: 'the host name cannot be looked up: is there a network connection?',
  ETIMEDOUT: 'no answer',
  EHOSTUNREACH: 'the host cannot be reached: is there a network connection?',
  ENETUNREACH: 'there is no network connection',
};

/** What happened, as this file's own errors; those of the disk as they are. */
function translate(error: unknown, stalled: AbortSignal, stopped: AbortSignal | undefined): unknown {
  if (stalled.aborted) return stalled.reason;
  if (stopped?.aborted || error instanceof UserError || error instanceof Transient || error instanceof Refused)
    return error;
  if (error instanceof Unreachable) return new Refused(error.message);
  const code = errorCode(error);
  if (code === undefined) return error;
  const { proxy } = error as { proxy?: string };
  const reason = networkReasons[code] ?? errorMessage(error);
  return new Transient(proxy ? `the proxy ${proxy}: ${reason}` : reason);
}

/** Check the MD5 and move the file into place. A wrong file is removed, and fetched again only if it was put together. */
async function verify(source: SourceFile, file: PartFile, continued: boolean): Promise<void> {
  const found = await md5(file.part);
  if (found !== source.md5) {
    file.discard();
    const what = `its MD5 is ${found}, the published file's is ${source.md5}`;
    throw continued ? new Transient(what) : new Refused(what);
  }
  file.moveIntoPlace();
}
