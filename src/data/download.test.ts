import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { because, dataDir } from '../../test/shared.ts';
import { UserError } from '../base/errors.ts';
import { FASHION_MNIST } from './datasets/fashion-mnist.ts';
import { fetchSource, getDataset } from './download.ts';
import { DATASETS, loadDataset } from './registry.ts';
import type { Source } from './source.ts';

let root: string;
let server: Server;
let base: string;
let served: Record<string, Buffer>;
let requests: string[];

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'thrive-download-'));
  served = {};
  requests = [];
  server = createServer((request, response) => {
    requests.push(request.url!);
    const body = served[request.url!.slice(1)];
    if (body) response.writeHead(200, { ETag: '"1"', 'Content-Length': body.length }).end(body);
    else response.writeHead(404).end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  rmSync(root, { recursive: true, force: true });
});

const quick = { retryDelay: 0.01, attempts: 2 };

/** Publish a file on the test's server. */
function publish(file: string, body: Buffer) {
  served[file] = body;
  return { file, urls: [`${base}/${file}`], md5: createHash('md5').update(body).digest('hex'), bytes: body.length };
}

function tarGz(files: Record<string, Buffer>): Buffer {
  const blocks = Object.entries(files).flatMap(([name, data]) => {
    const header = Buffer.alloc(512);
    header.write(name);
    header.write(`${data.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write('        0', 148);
    header.write('ustar\x0000', 257, 'latin1');
    const sum = header.reduce((a, b) => a + b);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [header, data, Buffer.alloc((512 - (data.length % 512)) % 512)];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

function idx(dims: number[], data: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * dims.length);
  header.writeUInt32BE(0x0800 + dims.length);
  for (const [i, dim] of dims.entries()) header.writeUInt32BE(dim, 4 + 4 * i);
  return gzipSync(Buffer.concat([header, data]));
}

describe('an archive', () => {
  const archive = (
    files: Record<string, Buffer> = { 'set/a.bin': Buffer.from('aaaa'), 'set/page.html': Buffer.from('p') },
  ): Source => ({
    folder: 'set',
    files: [publish('set.tar.gz', tarGz(files))],
    members: { 'set/a.bin': 10 },
  });

  test('becomes a folder with the files that are wanted, and nothing else stays', async () => {
    expect(await fetchSource(archive(), root, quick)).toBe(join(root, 'set'));
    expect(readdirSync(root)).toEqual(['set']);
    expect(readdirSync(join(root, 'set'))).toEqual(['a.bin']);
    expect(readFileSync(join(root, 'set', 'a.bin'), 'utf8')).toBe('aaaa');
  });

  test('put there by hand is checked and used', async () => {
    const source = archive();
    writeFileSync(join(root, 'set.tar.gz'), served['set.tar.gz']!);
    await fetchSource(source, root, quick);
    expect(requests).toEqual([]);
    expect(existsSync(join(root, 'set', 'a.bin'))).toBe(true);
  });

  test('a broken file that was there is replaced; a failure leaves it, and no half-written one', async () => {
    mkdirSync(join(root, 'set'));
    writeFileSync(join(root, 'set', 'a.bin'), 'old');
    const bad = archive({ 'set/other.bin': Buffer.from('x') });
    await expect(fetchSource(bad, root, quick)).rejects.toThrow('does not contain set/a.bin');
    expect(readFileSync(join(root, 'set', 'a.bin'), 'utf8')).toBe('old');
    expect(readdirSync(root).sort()).toEqual(['set', 'set.tar.gz']);
    await fetchSource(archive(), root, quick);
    expect(readFileSync(join(root, 'set', 'a.bin'), 'utf8')).toBe('aaaa');
    expect(readdirSync(root)).toEqual(['set']);
  });

  test('a mirror is asked instead of the official place', async () => {
    const source = archive();
    const [file] = source.files;
    const elsewhere = { ...source, files: [{ ...file!, urls: ['http://official.invalid/x'] }] };
    await fetchSource(elsewhere, root, { ...quick, mirror: `${base}/` });
    expect(requests).toEqual(['/set.tar.gz']);
  });
});

describe('getDataset', () => {
  test('synthetic images need no downloading', async () => {
    const result = await getDataset('synthetic', { dir: root });
    expect(result).toMatchObject({ name: 'synthetic', status: 'generated' });
    expect(result.message).toContain('nothing needs downloading');
    expect(readdirSync(root)).toEqual([]);
  });

  test('an unknown name', async () => {
    await expect(getDataset('cifar101')).rejects.toThrow("did you mean 'cifar10'?");
  });

  test('four files arrive, load, and are found again; the folder itself may be named', async () => {
    const images = Uint8Array.from({ length: 2 * 784 }, (_, i) => i & 255);
    vi.spyOn(DATASETS.mnist!.source!, 'files', 'get').mockReturnValue([
      publish('train-images-idx3-ubyte.gz', idx([2, 28, 28], images)),
      publish('train-labels-idx1-ubyte.gz', idx([2], Uint8Array.of(3, 4))),
      publish('t10k-images-idx3-ubyte.gz', idx([1, 28, 28], images.subarray(784))),
      publish('t10k-labels-idx1-ubyte.gz', idx([1], Uint8Array.of(9))),
    ]);
    vi.stubEnv('THRIVE_DATA', root);
    const result = await getDataset('mnist', quick);
    expect(result).toEqual({ name: 'mnist', status: 'downloaded', message: `MNIST is in ${join(root, 'mnist')}` });
    expect(Array.from((await loadDataset('mnist', { split: 'train' })).labels)).toEqual([3, 4]);
    expect(requests.length).toBe(4);
    const again = await getDataset('MNIST', { dir: join(root, 'mnist') });
    expect(again).toEqual({ name: 'mnist', status: 'present', message: `MNIST is already in ${join(root, 'mnist')}` });
    // one damaged file: that one is fetched again, into the folder that was named
    writeFileSync(join(root, 'mnist', 't10k-labels-idx1-ubyte.gz'), 'damaged');
    await getDataset('mnist', { ...quick, dir: join(root, 'mnist') });
    expect(requests.slice(4)).toEqual(['/t10k-labels-idx1-ubyte.gz']);
    expect((await loadDataset('mnist', { split: 'test' })).labels[0]).toBe(9);
  });

  test('a failure says what to do', async () => {
    const failure = await getDataset('cifar100', { ...quick, dir: root, mirror: base }).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(UserError);
    expect((failure as UserError).message).toContain(
      `cannot download cifar-100-binary.tar.gz: ${base}/cifar-100-binary.tar.gz: HTTP 404 Not Found`,
    );
    expect(failure).toMatchObject({
      hint: expect.stringContaining(`put the file at ${join(root, 'cifar-100-binary.tar.gz')} yourself`),
    });
  });

  const debian = FASHION_MNIST.systemFolders![0]!;
  const installed = existsSync(debian);
  test.skipIf(!installed)(`Debian's copy is used${because(installed, debian)}`, async () => {
    const result = await getDataset('fashion-mnist', { dir: root, mirror: base });
    expect(result).toMatchObject({ status: 'present', message: `Fashion-MNIST is already in ${debian}` });
    expect(requests).toEqual([]);
  });

  const real = dataDir();
  test.skipIf(!real)(`what is there already is not fetched${because(real, 'cifar-100-binary')}`, async () => {
    const result = await getDataset('cifar100', { dir: real!, mirror: base });
    expect(result.status).toBe('present');
    expect(requests).toEqual([]);
  });
});

test('the table of sources', () => {
  for (const { folder, files, members } of Object.values(DATASETS).flatMap(({ source }) => source ?? [])) {
    for (const { urls, md5, file } of files) {
      expect(md5).toMatch(/^[0-9a-f]{32}$/);
      for (const url of urls) expect(new URL(url).pathname.endsWith(`/${file}`)).toBe(true);
    }
    for (const member of Object.keys(members ?? {})) expect(member.startsWith(`${folder}/`)).toBe(true);
  }
  // as published on cs.toronto.edu/~kriz/cifar.html
  expect(DATASETS.cifar10!.source!.files[0]!.md5).toBe('c32a1d4ab5d03f1284b67883e8d87530');
  expect(DATASETS.cifar100!.source!.files[0]!.md5).toBe('03b5dce01913d631647c71ecec9e9cb8');
});
