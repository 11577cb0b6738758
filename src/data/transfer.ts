import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorCode, errorMessage, UserError } from '../base/errors.ts';
import { md5, PartFile, type PartWriter } from './part-file.ts';
import type { SourceFile } from './source.ts';

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

/** Worth another try at the same address. */
class Transient extends Error {}
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
        await sleep(retryDelay * 1000 * 2 ** (attempt - 1), undefined, signal ? { signal } : {});
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
  let body: ReadableStream<Uint8Array> | null = null;
  let writer: PartWriter | undefined;
  let spoiled = false;
  try {
    const signals = options.signal ? [options.signal, stalled.signal] : [stalled.signal];
    const headers: Record<string, string> = { 'Accept-Encoding': 'identity' };
    if (begun.size > 0 && begun.validator) {
      headers.Range = `bytes=${begun.size}-`;
      headers['If-Range'] = begun.validator;
    }
    const response = await fetch(url, { headers, signal: AbortSignal.any(signals) });
    body = response.body;
    const start = judge(response, begun, source, file);
    if (!body) throw new Transient('the server sent nothing');
    writer = file.open(start > 0, url, validatorOf(response.headers));
    let received = start;
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      clearTimeout(timer);
      timer = setTimeout(stall, idleTimeout * 1000);
      received += chunk.length;
      if (received > source.bytes) throw new Refused(`it sends more than the ${source.bytes} bytes the file has`);
      writer.write(chunk);
      options.onProgress?.({ file: source.file, received, total: source.bytes });
    }
    writer.flush();
    if (received < source.bytes) {
      throw new Transient(`the connection ended after ${received} of ${source.bytes} bytes`);
    }
    return start > 0;
  } catch (error) {
    spoiled = error instanceof Refused && writer !== undefined;
    throw translate(error, stalled.signal);
  } finally {
    clearTimeout(timer);
    writer?.close();
    if (spoiled) file.discard();
    await body?.cancel().catch(() => {}); // closes the connection when the body was not read to its end
  }
}

/** Where the body that follows belongs in the file. Throws when it is of no use. */
function judge(
  response: Response,
  begun: { size: number; validator: string | undefined },
  source: SourceFile,
  file: PartFile,
): number {
  const { status, headers } = response;
  if (status === 206) {
    const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers.get('content-range') ?? '');
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
    return begun.size;
  }
  if (status === 416) {
    file.discard();
    throw new Transient('the server cannot continue the file that was begun');
  }
  if (status !== 200) {
    const what = `HTTP ${status}${response.statusText ? ` ${response.statusText}` : ''}`;
    throw status === 408 || status === 429 || status >= 500 ? new Transient(what) : new Refused(what);
  }
  const length = headers.get('content-length');
  if (length !== null && !headers.has('content-encoding') && Number(length) !== source.bytes) {
    throw new Refused(`it offers ${length} bytes where the published file has ${source.bytes}`);
  }
  return 0;
}

/** A strong ETag, else the date: what If-Range accepts (RFC 9110, 13.1.5). */
function validatorOf(headers: Headers): string | undefined {
  const etag = headers.get('etag');
  return etag && !etag.startsWith('W/') ? etag : (headers.get('last-modified') ?? undefined);
}

const networkReasons: Record<string, string> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the connection was cut',
  ENOTFOUND: 'the host is unknown: is there a network connection?',
  EAI_AGAIN: 'the host name cannot be looked up: is there a network connection?',
  ETIMEDOUT: 'no answer',
  UND_ERR_CONNECT_TIMEOUT: 'no answer',
  UND_ERR_HEADERS_TIMEOUT: 'no answer',
};

/** fetch wraps what happened: "fetch failed" or "terminated", with the reason as its cause. */
function translate(error: unknown, stalled: AbortSignal): unknown {
  if (stalled.aborted) return stalled.reason;
  if (!(error instanceof TypeError)) return error;
  const code = errorCode(error.cause);
  return new Transient((code && networkReasons[code]) ?? errorMessage(error.cause ?? error));
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
