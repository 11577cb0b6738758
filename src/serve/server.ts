/** @file The dashboard's server: run folders as JSON, what changes as events, jobs; and the page. */
import { randomBytes } from 'node:crypto';
import { closeSync, createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { streamSSE } from 'hono/streaming';
import { errorMessage, UserError } from '../base/errors.ts';
import { packageVersion } from '../base/version.ts';
import { compareChosen } from './compare-runs.ts';
import { openInside, readInside } from './contain.ts';
import { guard, hasToken } from './guard.ts';
import { parseJob } from './job.ts';
import { Jobs } from './jobs.ts';
import { Live, type LiveEvent } from './live.ts';
import type { Asset } from './page.ts';
import { readDetail } from './run-detail.ts';
import type { KnownRun, RunIndex } from './run-index.ts';

export interface AppOptions {
  index: RunIndex;
  page: Map<string, Asset>;
  /** The address that the server listens at. */
  host: string;
  token?: string;
}

/** Pages that follow at a time. */
const MOST_FOLLOWERS = 64;

/** A number with the digits that a curve needs: six, or of a step all. */
const short = (value: number | null): number | null =>
  value === null || Number.isInteger(value) ? value : Number(value.toPrecision(6));

function curvesOf(index: RunIndex, run: KnownRun) {
  const metrics = index.metrics(run);
  const { series, epochs, step, lines, badLines } = metrics.curves;
  return {
    version: metrics.version,
    progress: metrics.progress,
    step,
    lines,
    badLines,
    torn: metrics.torn,
    problem: metrics.problem,
    epochs: [...epochs.values()]
      .sort((a, b) => a.step - b.step)
      .map(({ epoch, step: at, seconds }) => [epoch, at, Number.isFinite(seconds) ? seconds : null]),
    series: [...series].map(([name, one]) => ({
      name,
      points: one.points().map(short),
      exact: one.exact,
      gaps: one.gaps,
    })),
  };
}

/** The app, and what ends its jobs. */
export function createApp({ index, page, host, token = randomBytes(24).toString('base64url') }: AppOptions) {
  const app = new Hono();
  const live = new Live(index);
  const jobs = new Jobs();

  app.use(guard({ host, token }));
  app.onError((error, context) => {
    const known = error instanceof UserError;
    if (!known) console.error(error);
    return context.json({ error: errorMessage(error), ...(known ? { hint: error.hint } : {}) }, known ? 400 : 500);
  });

  app.get('/api/info', (context) =>
    context.json({ version: packageVersion(), folders: index.roots, mayWork: hasToken(context, token) }),
  );

  // Names only: loads no engine.
  app.get('/api/options', async (context) => {
    const [{ schemeNames }, { DATASETS }, { criteria }] = await Promise.all([
      import('../augment/index.ts'),
      import('../data/index.ts'),
      import('../distill/pick/index.ts'),
    ]);
    return context.json({ datasets: Object.keys(DATASETS), schemes: schemeNames, criteria });
  });

  app.get('/api/runs', async (context) => {
    await index.scan();
    return context.json({ runs: index.briefs });
  });

  const runOf = (id: string): KnownRun => {
    const run = index.get(id);
    if (!run) throw new UserError('there is no such run', { hint: 'it may have been moved or removed' });
    return run;
  };

  app.get('/api/runs/:id', (context) => context.json(readDetail(runOf(context.req.param('id')))));

  app.get('/api/runs/:id/curves', async (context) => {
    const run = runOf(context.req.param('id'));
    await index.metrics(run).glance();
    return context.json(curvesOf(index, run));
  });

  app.get('/api/runs/:id/errors', (context) => {
    const text = readInside(runOf(context.req.param('id')).folder, 'errors.json', 16 << 20);
    if (text === null) return context.json({ found: false });
    return context.json({ found: true, errors: JSON.parse(text) as unknown });
  });

  app.get('/api/runs/:id/files/:name', (context) => {
    const name = context.req.param('name');
    const opened = name.startsWith('.') ? null : openInside(runOf(context.req.param('id')).folder, name);
    if (!opened) return context.json({ error: 'there is no such file in this run' }, 404);
    const { fd, status } = opened;
    if (context.req.method === 'HEAD') closeSync(fd);
    // As long as it was when asked for: a file that grows meanwhile must not outgrow its announced length.
    const stream =
      status.size === 0 || context.req.method === 'HEAD'
        ? null
        : createReadStream('', { fd, start: 0, end: status.size - 1, autoClose: true });
    if (status.size === 0 && context.req.method !== 'HEAD') closeSync(fd);
    return new Response(stream ? (Readable.toWeb(stream) as ReadableStream<Uint8Array>) : null, {
      headers: {
        'Content-Type': 'application/octet-stream',
        'Content-Length': String(status.size),
        'Content-Disposition': `attachment; filename*=UTF-8''${encodeURIComponent(name)}`,
      },
    });
  });

  app.get('/api/compare', async (context) => {
    const { runs = '', metric, vary, score } = context.req.query();
    const chosen = runs.split(',').filter((id) => id !== '');
    return context.json(await compareChosen(index, chosen.map(runOf), { metric, vary, score }));
  });

  app.get('/api/events', (context) => {
    if (live.watching >= MOST_FOLLOWERS) return context.json({ error: 'too many pages follow already' }, 503);
    const run = context.req.query('run') ?? null;
    return streamSSE(context, async (stream) => {
      const queue: LiveEvent[] = [];
      let wake = (): void => {};
      const end = live.subscribe(run, (event) => {
        // Of a page that does not keep up only the newest of each matters.
        if (event.type === 'metrics') {
          const at = queue.findIndex(({ type }) => type === 'metrics');
          if (at >= 0) queue.splice(at, 1);
        }
        queue.push(event);
        wake();
      });
      stream.onAbort(() => {
        end();
        wake();
      });
      try {
        while (!stream.aborted && !stream.closed) {
          for (const event of queue.splice(0)) {
            await stream.writeSSE({ event: event.type, data: JSON.stringify(event) });
          }
          let timer: NodeJS.Timeout | undefined;
          await new Promise<void>((resolve) => {
            wake = resolve;
            // So that a page, and what lies between, sees that we are alive.
            timer = setTimeout(resolve, 15_000);
          });
          clearTimeout(timer);
          if (queue.length === 0 && !stream.aborted) await stream.write(': alive\n\n');
        }
      } finally {
        end();
      }
    });
  });

  app.post(
    '/api/jobs',
    bodyLimit({ maxSize: 64 * 1024, onError: (context) => context.json({ error: 'a job is not that long' }, 413) }),
    async (context) => {
      if (!hasToken(context, token)) {
        const hint = 'open the address that thrive serve printed, with its token';
        return context.json({ error: 'this starts work, which needs the token', hint }, 403);
      }
      let asked: unknown;
      try {
        asked = await context.req.json();
      } catch {
        throw new UserError('the job is not valid JSON');
      }
      const stream = jobs.start(parseJob(asked, index), context.req.raw.signal);
      if (!stream)
        return context.json({ error: 'two jobs are at work already', hint: 'wait for one, or stop it' }, 429);
      return new Response(stream, { headers: { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' } });
    },
  );

  app.get('*', (context) => {
    const asset = page.get(context.req.path);
    if (!asset) return context.json({ error: 'there is nothing here' }, 404);
    const lasting = context.req.path.startsWith('/assets/');
    return context.body(asset.body, 200, {
      'Content-Type': asset.type,
      'Cache-Control': lasting ? 'public, max-age=31536000, immutable' : 'no-cache',
    });
  });
  app.notFound((context) => context.json({ error: 'there is nothing here' }, 404));

  return { app, token, jobs, live };
}
