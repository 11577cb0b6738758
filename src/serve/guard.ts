/**
 * @file Who may ask. A page of another site must not reach a server on this machine: not by a name that is made to lead here (DNS
 * rebinding: the Host header), not from its own origin. What starts work needs a token that only the printed address has.
 */
import { timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import type { Context, MiddlewareHandler } from 'hono';

/** Nothing from elsewhere, no inline script, no frame around us. Styles are ours and what the chart sets on its canvas. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export interface Guard {
  /** The address that the server listens at. */
  host: string;
  token: string;
}

/** The host of a Host header, without its port. */
function hostOf(header: string): string | null {
  const found = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:\d{1,5})?$/i.exec(header);
  return found ? found[1]!.toLowerCase().replace(/^\[|\]$/g, '') : null;
}

const everywhere = new Set(['0.0.0.0', '::']);

/** A name could be anybody's; an address in the Host header is what the person typed. */
export function isAllowedHost(header: string | undefined, bound: string): boolean {
  const host = header === undefined ? null : hostOf(header);
  if (host === null) return false;
  if (['localhost', '127.0.0.1', '::1', bound.toLowerCase()].includes(host)) return true;
  return everywhere.has(bound) && isIP(host) !== 0;
}

export function guard({ host }: Guard): MiddlewareHandler {
  return async (context, next) => {
    const header = context.req.header('host');
    const refused = (why: string): Response => context.json({ error: why }, 403);
    const origin = context.req.header('origin');
    const site = context.req.header('sec-fetch-site');
    let answer: Response | undefined;
    if (!isAllowedHost(header, host)) answer = refused('the Host header names another server');
    else if (origin !== undefined && origin !== `http://${header}`)
      answer = refused('asked by a page of another origin');
    else if (site === 'cross-site' && context.req.path !== '/') answer = refused('asked by a page of another site');
    if (answer) context.res = answer;
    else await next();
    const { headers } = context.res;
    headers.set('Content-Security-Policy', policy);
    headers.set('X-Content-Type-Options', 'nosniff');
    headers.set('X-Frame-Options', 'DENY');
    headers.set('Referrer-Policy', 'no-referrer');
    headers.set('Cross-Origin-Opener-Policy', 'same-origin');
    headers.set('Cross-Origin-Resource-Policy', 'same-origin');
  };
}

/** Whether a request carries the token. */
export function hasToken(context: Context, token: string): boolean {
  const given = Buffer.from(context.req.header('x-thrive-token') ?? '');
  const wanted = Buffer.from(token);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
