import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { get, proxyFor, Unreachable } from './http-get.ts';

const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY'];
beforeEach(() => {
  for (const name of names) for (const one of [name, name.toLowerCase()]) vi.stubEnv(one, '');
});
afterEach(() => vi.unstubAllEnvs());

describe('the proxy that the environment names', () => {
  const of = (url: string): string | undefined => proxyFor(new URL(url))?.href;

  test('by the kind of address, small letters first', () => {
    expect(of('http://a.org/')).toBeUndefined();
    vi.stubEnv('HTTP_PROXY', 'http://plain:1');
    vi.stubEnv('HTTPS_PROXY', 'secure:2');
    expect(of('http://a.org/')).toBe('http://plain:1/');
    expect(of('https://a.org/')).toBe('http://secure:2/');
    vi.stubEnv('https_proxy', 'http://small:3');
    expect(of('https://a.org/')).toBe('http://small:3/');
  });

  test('ALL_PROXY for both; one of another kind is refused', () => {
    vi.stubEnv('ALL_PROXY', 'http://all:1');
    expect([of('http://a.org/'), of('https://a.org/')]).toEqual(['http://all:1/', 'http://all:1/']);
    vi.stubEnv('ALL_PROXY', 'socks5://all:1');
    expect(() => of('http://a.org/')).toThrow("ALL_PROXY is 'socks5://all:1', which is no http:// or https:// proxy");
  });

  test.each([
    ['a.org', ['http://a.org/', 'http://sub.a.org/'], ['http://ba.org/', 'http://a.org.uk/']],
    ['.a.org', ['http://a.org/', 'http://sub.a.org/'], ['http://ba.org/']],
    ['*.a.org, b.org', ['http://sub.a.org/', 'http://b.org/'], ['http://c.org/']],
    ['a.org:8080', ['http://a.org:8080/'], ['http://a.org/']],
    ['127.0.0.1', ['http://127.0.0.1:99/'], ['http://127.0.0.2/']],
    ['*', ['http://a.org/', 'http://127.0.0.1/'], []],
  ])('NO_PROXY=%s', (value, without, through) => {
    vi.stubEnv('HTTP_PROXY', 'http://proxy:1');
    vi.stubEnv('NO_PROXY', value);
    for (const url of without) expect(of(url), url).toBeUndefined();
    for (const url of through) expect(of(url), url).toBe('http://proxy:1/');
  });
});

describe('through a proxy', () => {
  let servers: Server[];
  let seen: string[];
  beforeEach(() => {
    servers = [];
    seen = [];
  });
  afterEach(() => {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });
  const listen = async (server: Server): Promise<number> => {
    servers.push(server);
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return (server.address() as AddressInfo).port;
  };
  const text = async (body: IncomingMessage): Promise<string> => Buffer.concat(await body.toArray()).toString();
  const signal = AbortSignal.timeout(10_000);

  test('http: the whole address is asked for, with user and password', async () => {
    const port = await listen(
      createServer((request, response) => {
        seen.push(`${request.url} ${request.headers.host} ${request.headers['proxy-authorization']}`);
        response.end('through');
      }),
    );
    vi.stubEnv('http_proxy', `http://me:a%20b@127.0.0.1:${port}`);
    const { body } = await get('http://nowhere.invalid/file?x=1', {}, signal);
    expect(await text(body)).toBe('through');
    expect(seen).toEqual([`http://nowhere.invalid/file?x=1 nowhere.invalid Basic ${btoa('me:a b')}`]);
  });

  test('https: a tunnel is asked for', async () => {
    const proxy = createServer();
    proxy.on('connect', (request: IncomingMessage, socket: Socket) => {
      seen.push(`${request.method} ${request.url}`);
      socket.end('HTTP/1.1 403 Not here\r\n\r\n');
    });
    vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${await listen(proxy)}`);
    const failed = await get('https://nowhere.invalid/file', {}, signal).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(Unreachable);
    expect((failed as Error).message).toMatch(/^the proxy 127\.0\.0\.1:\d+ answers HTTP 403 Not here$/);
    expect(seen).toEqual(['CONNECT nowhere.invalid:443']);
  });

  test('https: what the tunnel leads to speaks for itself', async () => {
    const target = await listen(createServer((_, response) => response.end('plain')));
    const proxy = createServer();
    proxy.on('connect', (_request, socket: Socket) => {
      const there = connect(target, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        socket.pipe(there).pipe(socket);
      });
    });
    vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${await listen(proxy)}`);
    // A server that does not speak TLS: the handshake arrived there and failed.
    await expect(get('https://nowhere.invalid/file', {}, signal)).rejects.toThrow(
      /wrong version number|packet length|EPROTO|hang up|disconnected/i,
    );
  });

  test('one that does not answer is named', async () => {
    const server = createServer();
    const port = await listen(server);
    await new Promise((done) => server.close(done));
    vi.stubEnv('HTTP_PROXY', `http://127.0.0.1:${port}`);
    await expect(get('http://nowhere.invalid/', {}, signal)).rejects.toMatchObject({
      code: 'ECONNREFUSED',
      proxy: `127.0.0.1:${port}`,
    });
  });
});
