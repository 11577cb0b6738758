/**
 * @file GET with the bytes as the server sends them: `fetch` undoes a Content-Encoding, and a file named .gz is often sent with
 * one. Follows redirects and takes the proxy that the environment names (HTTPS_PROXY, HTTP_PROXY, NO_PROXY, as curl does).
 */
import { type IncomingHttpHeaders, type IncomingMessage, request as plain, type RequestOptions } from 'node:http';
import { request as secure } from 'node:https';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface Answer {
  status: number;
  /** `Not Found`. */
  reason: string;
  headers: IncomingHttpHeaders;
  /** Its bytes, not decoded. Destroy it to close the connection. */
  body: IncomingMessage;
}

/** `URL.parse`, which Node.js 20 does not have. */
const urlOf = (text: string, base?: string): URL | undefined =>
  URL.canParse(text, base) ? new URL(text, base) : undefined;

const MAX_REDIRECTS = 10;

/** Why a request can never work as it is: not worth another try. */
export class Unreachable extends Error {}

const variable = (name: string): string | undefined => process.env[name.toLowerCase()] || process.env[name];

/** Whether NO_PROXY (hosts, domains, `*`, each with a port or without) lists a host. */
function unproxied({ hostname, port, protocol }: URL): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const at = port || (protocol === 'https:' ? '443' : '80');
  return (variable('NO_PROXY') ?? '').split(/[\s,]+/).some((entry) => {
    if (entry === '*') return true;
    const [, name = '', only] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
    const domain = name.replace(/^\*?\./, '');
    if (domain === '' || (only !== undefined && only !== at)) return false;
    return host === domain || host.endsWith(`.${domain}`);
  });
}

/** The proxy for an address, as the environment says; undefined for none. @throws Unreachable for one of an unknown kind */
export function proxyFor(target: URL): URL | undefined {
  const names = target.protocol === 'https:' ? ['HTTPS_PROXY', 'ALL_PROXY'] : ['HTTP_PROXY', 'ALL_PROXY'];
  const name = names.find((one) => variable(one));
  if (!name || unproxied(target)) return undefined;
  const text = variable(name)!;
  const url = urlOf(/^\w+:\/\//.test(text) ? text : `http://${text}`);
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new Unreachable(`${name} is '${text.slice(0, 80)}', which is no http:// or https:// proxy`);
}

function authorization({ username, password }: URL): Record<string, string> {
  if (username === '') return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'Proxy-Authorization': `Basic ${Buffer.from(pair).toString('base64')}` };
}

const portOf = ({ port, protocol }: URL): number => Number(port) || (protocol === 'https:' ? 443 : 80);
const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '');

/** Send a request and wait for the head of its answer. */
const answer = (
  send: typeof plain,
  options: RequestOptions | URL,
  more: RequestOptions = {},
): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const sent = options instanceof URL ? send(options, more) : send(options);
    sent.once('error', reject).once('response', resolve).end();
  });

/** A connection through a proxy to an https server (RFC 9110, CONNECT). */
const tunnel = (proxy: URL, target: URL, signal: AbortSignal): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const host = `${target.hostname}:${portOf(target)}`;
    const sent = (proxy.protocol === 'https:' ? secure : plain)({
      host: hostOf(proxy),
      port: portOf(proxy),
      method: 'CONNECT',
      path: host,
      headers: { Host: host, ...authorization(proxy) },
      agent: false,
      signal,
    });
    sent.once('error', (error) => reject(aboutProxy(error, proxy)));
    sent.once('response', (response) => {
      response.destroy();
      reject(new Unreachable(`the proxy ${proxy.host} answers HTTP ${response.statusCode}`));
    });
    sent.once('connect', (response, socket: Socket) => {
      if (response.statusCode === 200) return resolve(socket);
      socket.destroy();
      reject(
        new Unreachable(
          `the proxy ${proxy.host} answers HTTP ${response.statusCode} ${response.statusMessage ?? ''}`.trim(),
        ),
      );
    });
    sent.end();
  });

/** The same error, saying that it is the proxy that does not answer. */
const aboutProxy = (error: Error, { host }: URL): Error =>
  Object.assign(new Error(`${error.message} (at the proxy ${host})`), {
    code: (error as NodeJS.ErrnoException).code,
    proxy: host,
  });

async function once(target: URL, headers: Record<string, string>, signal: AbortSignal): Promise<IncomingMessage> {
  const proxy = proxyFor(target);
  const options = { headers, signal, agent: false as const };
  if (!proxy) return answer(target.protocol === 'https:' ? secure : plain, target, options);
  if (target.protocol === 'http:') {
    const through = {
      ...options,
      host: hostOf(proxy),
      port: portOf(proxy),
      path: target.href,
      headers: { ...headers, Host: target.host, ...authorization(proxy) },
    };
    return answer(proxy.protocol === 'https:' ? secure : plain, through).catch((error) => {
      throw aboutProxy(error, proxy);
    });
  }
  const socket = await tunnel(proxy, target, signal);
  const createConnection = (): Socket => connectTls({ socket, servername: hostOf(target) });
  // An agent, even none, would make the connection itself.
  return answer(secure, target, { headers, signal, createConnection });
}

/**
 * The answer of the last address that redirects lead to.
 *
 * @throws Unreachable for what another try cannot mend; system errors (`ECONNREFUSED`) as they come
 */
export async function get(url: string, headers: Record<string, string>, signal: AbortSignal): Promise<Answer> {
  let target = new URL(url);
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    if (target.protocol !== 'http:' && target.protocol !== 'https:') {
      throw new Unreachable(`it leads to ${target.protocol} instead of http`);
    }
    const body = await once(target, headers, signal);
    const { statusCode: status = 0, statusMessage: reason = '' } = body;
    const { location } = body.headers;
    if (![301, 302, 303, 307, 308].includes(status) || !location)
      return { status, reason, headers: body.headers, body };
    body.destroy();
    const next = urlOf(location, target.href);
    if (!next) throw new Unreachable(`it redirects to '${location.slice(0, 80)}', which is no address`);
    target = next;
  }
  throw new Unreachable(`it redirects more than ${MAX_REDIRECTS} times`);
}
