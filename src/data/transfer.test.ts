import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UserError } from '../base/errors.ts';
import type { SourceFile } from './source.ts';
import { type Progress, transfer } from './transfer.ts';

const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 31 + (i >> 8)) & 255));
const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');

let root: string;
let path: string;
let server: Server;
let base: string;
let requests: { url: string; range: string | undefined; ifRange: string | undefined }[];
/** What the server does with the n-th request, from 0. */
let handler: (request: IncomingMessage, response: ServerResponse, n: number) => void;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'thrive-transfer-'));
  path = join(root, 'data', 'file.bin');
  requests = [];
  handler = whole;
  server = createServer((request, response) => {
    const { range, 'if-range': ifRange } = request.headers;
    requests.push({ url: request.url!, range, ifRange: Array.isArray(ifRange) ? ifRange[0] : ifRange });
    handler(request, response, requests.length - 1);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  rmSync(root, { recursive: true, force: true });
});

/** A correct server: honours Range, and If-Range against its ETag. */
function whole(request: IncomingMessage, response: ServerResponse, _n = 0, body = content, etag = '"v1"'): void {
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
  const same = request.headers['if-range'] === undefined || request.headers['if-range'] === etag;
  if (range && same) {
    const start = Number(range[1]);
    if (start >= body.length) {
      response.writeHead(416, { 'Content-Range': `bytes */${body.length}` }).end();
      return;
    }
    response.writeHead(206, {
      ETag: etag,
      'Content-Length': body.length - start,
      'Content-Range': `bytes ${start}-${body.length - 1}/${body.length}`,
    });
    response.end(body.subarray(start));
  } else {
    response.writeHead(200, { ETag: etag, 'Content-Length': body.length }).end(body);
  }
}

/** Sends the headers of the whole and so many bytes, then cuts the connection. */
function cutAfter(count: number, headers: Record<string, string> = { ETag: '"v1"' }, body = content) {
  return (_: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(200, { ...headers, 'Content-Length': body.length });
    // give the client time to read them before the reset throws them away
    response.write(body.subarray(0, count), () => setTimeout(() => response.destroy(), 100));
  };
}

const source = (changes: Partial<SourceFile> = {}): SourceFile => ({
  file: 'file.bin',
  urls: [`${base}/file.bin`],
  md5: md5(content),
  bytes: content.length,
  ...changes,
});
const quick = { retryDelay: 0.01, attempts: 2 };
const run = (changes: Partial<SourceFile> = {}, options = {}): Promise<void> =>
  transfer(source(changes), path, { ...quick, ...options });
const expectWhole = (): void => {
  expect(readFileSync(path).equals(content)).toBe(true);
  expect(readdirSync(join(root, 'data'))).toEqual(['file.bin']);
};

test('a file arrives whole, with progress, and nothing is left beside it', async () => {
  const seen: Progress[] = [];
  await run({}, { onProgress: (progress: Progress) => seen.push(progress) });
  expectWhole();
  expect(seen.at(-1)).toEqual({ file: 'file.bin', received: content.length, total: content.length });
  expect(seen.map((p) => p.received)).toEqual(seen.map((p) => p.received).sort((a, b) => a - b));
});

test('a right file that is there is not fetched again, a wrong one is replaced', async () => {
  mkdirSync(join(root, 'data'));
  writeFileSync(path, content);
  await run();
  expect(requests).toEqual([]);
  writeFileSync(path, content.subarray(1));
  await run();
  expect(requests.length).toBe(1);
  expectWhole();
});

describe('an interrupted transfer', () => {
  test('is continued by the next try where it stopped', async () => {
    handler = (request, response, n) => (n === 0 ? cutAfter(200_000)(request, response) : whole(request, response));
    await run();
    expectWhole();
    expect(requests[1]).toEqual({ url: '/file.bin', range: 'bytes=200000-', ifRange: '"v1"' });
  });

  test('is continued by the next run, and not visible as the file until then', async () => {
    handler = cutAfter(150_000);
    await expect(run({}, { attempts: 1 })).rejects.toThrow(
      `cannot download file.bin: ${base}/file.bin: the connection was cut`,
    );
    expect(existsSync(path)).toBe(false);
    expect(readFileSync(`${path}.part`).equals(content.subarray(0, 150_000))).toBe(true);
    handler = whole;
    await run();
    expectWhole();
    expect(requests[1]!.range).toBe('bytes=150000-');
  });

  test('starts again at a server that has no Range', async () => {
    handler = (request, response, n) => {
      if (n === 0) cutAfter(200_000)(request, response);
      else response.writeHead(200, { ETag: '"v1"', 'Content-Length': content.length }).end(content);
    };
    await run();
    expectWhole();
    expect(requests[1]!.range).toBe('bytes=200000-');
  });

  test('starts again when the file changed in between: two versions are never joined', async () => {
    const old = Buffer.from(content).fill(9, 0, 1000);
    handler = (request, response, n) => {
      if (n === 0) cutAfter(200_000, { ETag: '"old"' }, old)(request, response);
      else whole(request, response);
    };
    await run();
    expectWhole();
    expect(requests[1]).toMatchObject({ range: 'bytes=200000-', ifRange: '"old"' });
  });

  test('starts again when the server ignores If-Range and continues another version', async () => {
    handler = (request, response, n) => {
      if (n === 0) cutAfter(200_000, { ETag: '"old"' })(request, response);
      else {
        delete request.headers['if-range'];
        whole(request, response);
      }
    };
    await run({}, { attempts: 3 });
    expectWhole();
    expect(requests.map((r) => r.range)).toEqual([undefined, 'bytes=200000-', undefined]);
  });

  test('is never continued when the server gave no way to tell versions apart', async () => {
    for (const headers of [{}, { ETag: 'W/"weak"' }] as Record<string, string>[]) {
      requests = [];
      rmSync(path, { force: true });
      handler = (request, response, n) =>
        n === 0 ? cutAfter(200_000, headers)(request, response) : whole(request, response);
      await run();
      expectWhole();
      expect(requests[1]!.range).toBeUndefined();
    }
  });

  test('is continued by date where there is no ETag', async () => {
    const date = 'Wed, 01 Jul 2009 10:00:00 GMT';
    handler = (request, response, n) => {
      if (n === 0) cutAfter(200_000, { 'Last-Modified': date })(request, response);
      else {
        const part = content.subarray(200_000);
        const range = `bytes 200000-${content.length - 1}/${content.length}`;
        response
          .writeHead(206, { 'Last-Modified': date, 'Content-Range': range, 'Content-Length': part.length })
          .end(part);
      }
    };
    await run();
    expectWhole();
    expect(requests[1]!.ifRange).toBe(date);
  });

  test.each([
    ['another range than asked for', 'bytes 100000-299999/300000'],
    ['a range of a file of another size', 'bytes 200000-299999/400000'],
    ['nonsense', 'bytes what/ever'],
  ])('starts again when the server sends %s', async (_, range) => {
    handler = (request, response, n) => {
      if (n === 0) cutAfter(200_000)(request, response);
      else if (n === 1)
        response.writeHead(206, { ETag: '"v1"', 'Content-Range': range }).end(content.subarray(200_000));
      else whole(request, response);
    };
    await run({}, { attempts: 3 });
    expectWhole();
    expect(requests[2]!.range).toBeUndefined();
  });

  test('whose beginning was damaged on the disk is found by the check sum and fetched anew', async () => {
    handler = cutAfter(150_000);
    await expect(run({}, { attempts: 1 })).rejects.toThrow(UserError);
    writeFileSync(`${path}.part`, Buffer.alloc(150_000, 1));
    handler = whole;
    await run();
    expectWhole();
    expect(requests.map((r) => r.range)).toEqual([undefined, 'bytes=150000-', undefined]);
  });

  test.each([
    ['longer than the file', content.length + 5, undefined],
    ['complete already', content.length, 'none'],
  ])('left a part that is %s', async (_, length, expected) => {
    handler = cutAfter(10);
    await expect(run({}, { attempts: 1 })).rejects.toThrow(UserError);
    requests = [];
    writeFileSync(`${path}.part`, Buffer.concat([content, Buffer.alloc(5)]).subarray(0, length));
    handler = whole;
    await run();
    expectWhole();
    expect(requests.length === 0 ? 'none' : requests[0]!.range).toBe(expected);
  });

  test('by the user keeps what arrived', async () => {
    const stop = new AbortController();
    handler = (_, response) => {
      response.writeHead(200, { ETag: '"v1"', 'Content-Length': content.length }).write(content.subarray(0, 100_000));
    };
    const onProgress = ({ received }: Progress): void => {
      if (received === 100_000) stop.abort(new Error('stopped by hand'));
    };
    await expect(run({}, { signal: stop.signal, onProgress })).rejects.toThrow('stopped by hand');
    expect(readFileSync(`${path}.part`).length).toBe(100_000);
    handler = whole;
    await run();
    expect(requests[1]!.range).toBe('bytes=100000-');
    expectWhole();
  });
});

describe('servers that fail', () => {
  test('a busy one is asked again, as often as agreed', async () => {
    handler = (request, response, n) => (n < 3 ? response.writeHead(503).end() : whole(request, response));
    await run({}, { attempts: 4 });
    expectWhole();
    rmSync(path);
    handler = (_, response) => response.writeHead(503).end();
    await expect(run({}, { attempts: 3 })).rejects.toThrow('/file.bin: HTTP 503 Service Unavailable (3 tries)');
  });

  test('404 is final at once', async () => {
    handler = (_, response) => response.writeHead(404).end('no such file');
    const failure = await run().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UserError);
    expect(failure).toMatchObject({
      message: `cannot download file.bin: ${base}/file.bin: HTTP 404 Not Found (it is not there)`,
      hint: expect.stringContaining(`or put the file at ${path} yourself`),
    });
    expect(requests.length).toBe(1);
    expect(existsSync(path)).toBe(false);
  });

  test('the next address is tried, and the error names them all', async () => {
    handler = (request, response) => {
      if (request.url === '/good') whole(request, response);
      else response.writeHead(404).end();
    };
    await run({ urls: [`${base}/bad`, `${base}/good`] });
    expectWhole();
    rmSync(path);
    const gone = createServer().listen(0, '127.0.0.1');
    await once(gone, 'listening');
    const closed = `http://127.0.0.1:${(gone.address() as AddressInfo).port}/file.bin`;
    await new Promise((done) => gone.close(done));
    await expect(run({ urls: [`${base}/bad`, closed] })).rejects.toThrow(
      `${base}/bad: HTTP 404 Not Found (it is not there); ${closed}: the connection was refused (2 tries)`,
    );
  });

  test('an unknown host', async () => {
    await expect(run({ urls: ['http://no-such-host.invalid/file.bin'] })).rejects.toThrow(
      /the host (is unknown|name cannot)/,
    );
  });

  test('a silent one is given up', async () => {
    handler = (_, response) => {
      response.writeHead(200, { 'Content-Length': content.length }).write('x');
    };
    await expect(run({}, { idleTimeout: 0.05 })).rejects.toThrow('no data for 0.05 s (2 tries)');
  });

  test('a redirect is followed', async () => {
    handler = (request, response) => {
      if (request.url === '/file.bin') response.writeHead(302, { Location: '/moved' }).end();
      else whole(request, response);
    };
    await run();
    expectWhole();
  });
});

describe('content that is not the file', () => {
  test('a wrong check sum: named, removed, and fetched only once', async () => {
    const other = Buffer.from(content).fill(0, 500, 501);
    handler = (request, response) => whole(request, response, 0, other);
    await expect(run()).rejects.toThrow(`its MD5 is ${md5(other)}, the published file's is ${md5(content)}`);
    expect(requests.length).toBe(1);
    expect(readdirSync(join(root, 'data'))).toEqual([]);
  });

  test('a web page in its place is said to be one, with its first words', async () => {
    handler = (_, response) => response.end('<html>please log in</html>');
    await expect(run()).rejects.toThrow('a web page, not the file: "please log in"');
    expect(existsSync(join(root, 'data'))).toBe(false);
  });

  test('other content is refused by its size, before it is read', async () => {
    handler = (_, response) => response.end('twenty-six characters here');
    await expect(run()).rejects.toThrow('it offers 26 bytes where the published file has 300000');
    expect(existsSync(join(root, 'data'))).toBe(false);
  });

  test.each([
    [
      '<!DOCTYPE html>\n<html><head><title>Sign in</title><script>var a = "<b>";</script></head><body>to go on',
      'Sign in to go on',
    ],
    ['<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', 'AccessDenied'],
    ['<!-- x --><HTML><BODY>é</BODY></HTML>', 'é'],
  ])('%s', async (page, words) => {
    for (const packed of [false, true]) {
      handler = (_, response) => {
        if (packed) response.setHeader('Content-Encoding', 'gzip');
        response.setHeader('Content-Type', 'text/html; charset=utf-8').end(packed ? gzipSync(page) : page);
      };
      await expect(run()).rejects.toThrow(`a web page, not the file: "${words}"`);
    }
    expect(existsSync(join(root, 'data'))).toBe(false);
  });

  test('more than the file has is cut off', async () => {
    let sent = 0;
    handler = (_, response) => {
      response.writeHead(200, { ETag: '"v1"' }); // chunked: no length to judge by
      const more = (): void => {
        while (!response.destroyed && sent < 2 ** 30) {
          sent += 65_536;
          if (!response.write(Buffer.alloc(65_536))) break;
        }
      };
      response.on('drain', more);
      more();
    };
    await expect(run()).rejects.toThrow('it sends more than the 300000 bytes the file has');
    expect(sent).toBeLessThan(2 ** 26);
    expect(readdirSync(join(root, 'data'))).toEqual([]);
  });

  test('less than the file has, without a length', async () => {
    handler = (_, response) => {
      response.write(content.subarray(0, 1000));
      response.end();
    };
    await expect(run()).rejects.toThrow('the connection ended after 1000 of 300000 bytes (2 tries)');
  });
});

describe('a disk that fails', () => {
  const full = existsSync('/dev/full');
  test.skipIf(!full)(
    `full${full ? '' : ' (skipped: this system has no /dev/full)'}: said at once, not tried again`,
    async () => {
      mkdirSync(join(root, 'data'));
      symlinkSync('/dev/full', `${path}.part`); // every write there fails as on a full disk
      const failure = await run().catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(UserError);
      expect(failure).toMatchObject({
        message: `cannot write ${path}.part: the disk is full`,
        hint: 'free some space and run it again; what arrived is kept',
      });
      expect(requests.length).toBe(1);
      expect(existsSync(path)).toBe(false);
    },
  );

  const mounts = canMount();
  test.skipIf(!mounts)(
    `a really full file system${mounts ? '' : ' (skipped: mounting a tmpfs needs root)'}`,
    async () => {
      const disk = join(root, 'disk');
      mkdirSync(disk);
      mountTiny(disk);
      try {
        const target = join(disk, 'file.bin');
        await expect(transfer(source(), target, quick)).rejects.toThrow(
          `cannot write ${target}.part: the disk is full`,
        );
        expect(existsSync(target)).toBe(false);
        execFileSync('mount', ['-o', 'remount,size=1m', disk]);
        await transfer(source(), target, quick);
        expect(readFileSync(target).equals(content)).toBe(true);
        expect(requests[1]!.range).toMatch(/^bytes=[1-9]\d*-$/); // what fitted was kept
      } finally {
        execFileSync('umount', [disk]);
      }
    },
  );

  test('a folder that cannot be made', async () => {
    writeFileSync(join(root, 'data'), 'a file where the folder should be');
    await expect(run()).rejects.toThrow(
      /cannot write .*file\.bin\.part: (it exists already|a part of the path is not a folder)/,
    );
  });
});

/** A file system of 128 kB. */
function mountTiny(folder: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', folder], { stdio: 'ignore' });
}

function canMount(): boolean {
  if (process.platform !== 'linux') return false;
  const folder = mkdtempSync(join(tmpdir(), 'thrive-mount-'));
  try {
    mountTiny(folder);
    execFileSync('umount', [folder]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('a Content-Encoding', () => {
  const packed = gzipSync(content);
  const published = { bytes: packed.length, md5: md5(packed) };

  test.each(['gzip', 'x-gzip', 'GZIP'])('%s: the bytes are kept as sent', async (encoding) => {
    handler = (_, response) => response.setHeader('Content-Encoding', encoding).end(packed);
    await run(published);
    expect(Buffer.compare(readFileSync(path), packed)).toBe(0);
  });

  test('in chunks, without a length', async () => {
    handler = (_, response) => {
      response.setHeader('Content-Encoding', 'gzip').write(packed.subarray(0, 100));
      response.end(packed.subarray(100));
    };
    await run(published);
    expect(Buffer.compare(readFileSync(path), packed)).toBe(0);
  });

  test('packed for the way only: unpacked again, a .gz too', async () => {
    handler = (_, response) => response.setHeader('Content-Encoding', 'gzip').end(gzipSync(content));
    await run();
    expect(Buffer.compare(readFileSync(path), content)).toBe(0);
    rmSync(path);
    handler = (_, response) => response.setHeader('Content-Encoding', 'gzip').end(gzipSync(packed));
    await run(published);
    expect(Buffer.compare(readFileSync(path), packed)).toBe(0);
    expect(readdirSync(join(root, 'data'))).toEqual(['file.bin']);
  });

  test('cut on the way, and fetched anew', async () => {
    handler = (_, response, n) => {
      response.setHeader('Content-Encoding', 'gzip').setHeader('ETag', '"v1"');
      if (n > 0) response.end(packed);
      else response.write(packed.subarray(0, 1000), () => response.destroy());
    };
    await run(published);
    expect(requests.map(({ range }) => range)).toEqual([undefined, undefined]);
  });

  test('other content is still refused', async () => {
    handler = (_, response) => response.setHeader('Content-Encoding', 'gzip').end(gzipSync('something else'));
    await expect(run({}, { attempts: 1 })).rejects.toThrow(/the connection ended after \d+ of 300000 bytes/);
  });
});

describe('redirects', () => {
  test('are followed, relative ones too', async () => {
    handler = (request, response) =>
      request.url === '/there' ? whole(request, response) : response.writeHead(302, { Location: 'there' }).end();
    await run();
    expect(Buffer.compare(readFileSync(path), content)).toBe(0);
  });

  test('that never end, or lead nowhere', async () => {
    handler = (_, response) => response.writeHead(302, { Location: '/file.bin' }).end();
    await expect(run()).rejects.toThrow('it redirects more than 10 times');
    handler = (_, response) => response.writeHead(301, { Location: 'ftp://127.0.0.1/x' }).end();
    await expect(run()).rejects.toThrow('it leads to ftp: instead of http');
  });
});

test('what an answer means is said, and a server that asks to wait is waited for', async () => {
  handler = (_, response) => response.writeHead(403).end();
  await expect(run()).rejects.toThrow('HTTP 403 Forbidden (the server refuses access to it)');
  const begun = performance.now();
  handler = (request, response, n) =>
    n === 1 ? response.writeHead(429, { 'Retry-After': '1' }).end() : whole(request, response);
  await run();
  expect(performance.now() - begun).toBeGreaterThan(900);
});
