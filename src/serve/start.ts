/** @file Listening: on this machine only, unless told otherwise. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { errorCode, UserError } from '../base/errors.ts';
import type { Jobs } from './jobs.ts';
import { loadPage } from './page.ts';
import { RunIndex } from './run-index.ts';
import { createApp } from './server.ts';

export interface ServeOptions {
  /** Folders that are runs or hold some. */
  folders: readonly string[];
  /** Address to listen at. This machine's own unless given. */
  host?: string;
  /** 0 for any that is free. Default 6007. */
  port?: number;
}

export interface Serving {
  /** With the token that allows jobs. */
  url: string;
  port: number;
  token: string;
  index: RunIndex;
  jobs: Jobs;
  close(): Promise<void>;
}

/** Serve the dashboard until closed. @throws UserError for a folder that is none, or a port that is taken */
export async function startServer({ folders, host = '127.0.0.1', port = 6007 }: ServeOptions): Promise<Serving> {
  const index = new RunIndex(folders);
  const { app, token, jobs } = createApp({ index, page: loadPage(), host });
  const server = await new Promise<Server>((resolve, reject) => {
    const started = serve({ fetch: app.fetch, hostname: host, port }, () => resolve(started)) as Server;
    started.once('error', reject);
  }).catch((error: unknown) => {
    const code = errorCode(error);
    if (code === 'EADDRINUSE') {
      throw new UserError(`port ${port} is taken`, { hint: 'choose another with --port, or 0 for any', cause: error });
    }
    if (code === 'EACCES' || code === 'EADDRNOTAVAIL') {
      throw new UserError(`cannot listen at ${host}:${port}: ${code}`, {
        hint: '--host and --port say where',
        cause: error,
      });
    }
    throw error;
  });
  const bound = (server.address() as AddressInfo).port;
  const shown = host.includes(':') ? `[${host}]` : host;
  return {
    url: `http://${shown}:${bound}/#token=${token}`,
    port: bound,
    token,
    index,
    jobs,
    close: () =>
      new Promise((resolve) => {
        jobs.stopAll();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
