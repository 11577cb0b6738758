/** @file The dashboard in a real browser: every page in both themes, and a training that runs, stops, is killed and goes on. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Serving, startServer } from '../src/serve/start.ts';
import { chromium, type Page, withPage } from './chromium.ts';
import { start, thrive } from './cli.ts';
import { because } from './shared.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const real = join(import.meta.dirname, '../docs/results/small');
const shots = process.env.THRIVE_SCREENSHOTS;
let folder: string;
let serving: Serving;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'thrive-dashboard-'));
  cpSync(real, join(folder, 'cifar100'), { recursive: true });
  cpSync(join(import.meta.dirname, '../docs/results/score.json'), join(folder, 'score.json'));
  const evil = join(folder, '<img src=x onerror="document.title=1">');
  mkdirSync(evil);
  const config = JSON.parse(readFileSync(join(real, 'ce-20-s1/config.json'), 'utf8')) as { config: object };
  writeFileSync(
    join(evil, 'config.json'),
    JSON.stringify({ ...config, config: { ...config.config, model: '<b>bold' } }),
  );
  writeFileSync(
    join(evil, 'metrics.jsonl'),
    `{"type":"step","epoch":1,"step":1,"loss":null,"terms":{"<script>":1e308}}\n`,
  );
  serving = await startServer({ folders: [folder], port: 0 });
});
afterAll(async () => {
  await serving.close();
  rmSync(folder, { recursive: true, force: true });
});

const address = (hash: string): string => `http://127.0.0.1:${serving.port}/${hash}`;
const text = "(document.body?.innerText ?? '')";
const idOf = (name: string): string => serving.index.briefs.find((run) => run.name === name)!.id;

/** What axe finds wrong. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(`${axe}; 0`);
  return page.evaluate(
    `axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.slice(0, 3).map(({ html }) => html.slice(0, 160)).join(' | ')))`,
  );
}

async function shoot(page: Page, name: string): Promise<void> {
  if (shots) writeFileSync(join(shots, `${name}.png`), await page.screenshot());
}

const pages: [name: string, hash: () => string, ready: string][] = [
  ['runs', () => '#/runs', `document.querySelectorAll('tbody tr').length > 17`],
  ['grouped', () => '#/runs?group=1', `document.querySelector('tr.group')`],
  ['run', () => `#/run/${idOf('cifar100/cutmix-40-s1')}`, `document.querySelectorAll('.chart canvas').length > 3`],
  [
    'compare',
    () =>
      `#/compare?score=${encodeURIComponent(join(folder, 'score.json'))}&runs=${serving.index.briefs
        .filter(({ name }) => /-40-/.test(name))
        .map(({ id }) => id)
        .join()}`,
    `document.querySelector('#table') && document.querySelector('.chart canvas')`,
  ],
  ['augment', () => '#/augment', `document.querySelectorAll('.chip').length > 5`],
  ['hostile', () => `#/run/${idOf('<img src=x onerror="document.title=1">')}`, `document.querySelector('#settings')`],
];

describe.skipIf(!chromium)(`the dashboard in a browser${because(chromium, 'chromium')}`, () => {
  test('every page, light on a phone and dark on a desk: nothing for axe to say, nothing wider than the screen', async () => {
    await withPage(
      async (page) => {
        await page.open(address(`#token=${serving.token}`));
        await page.until(`${text}.includes('18 runs') || ${text}.includes('19 runs')`);
        const found: string[] = [];
        for (const scheme of ['light', 'dark'] as const) {
          await page.scheme(scheme);
          for (const width of shots ? [390, 1280, 2560] : [scheme === 'light' ? 390 : 1280]) {
            await page.resize(width, width === 390 ? 844 : width === 2560 ? 1440 : 900);
            for (const [name, hash, ready] of pages) {
              await page.evaluate(`location.hash = ${JSON.stringify(hash())}; 0`);
              await page.until(ready);
              await shoot(page, `${name}-${scheme}-${width}`);
              const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
              if (wide > width) found.push(`${name} at ${width}: ${wide} wide`);
              if (width !== 2560) {
                for (const one of await violations(page)) found.push(`${name}, ${scheme}, ${width}: ${one}`);
              }
            }
          }
        }
        expect(found).toEqual([]);
        expect(await page.evaluate(`document.querySelectorAll('img[src=x], main script').length`)).toBe(0);
        expect(page.log).toEqual([]);
      },
      [1280, 900],
    );
  }, 180_000);

  test('the table: filter, sort, keyboard and a link that keeps them', async () => {
    await withPage(async (page) => {
      await page.open(address('#/runs?q=cutmix+-hard&sort=top1&down=1'));
      await page.until(`document.querySelectorAll('tbody tr').length === 4`);
      const top1 = await page.evaluate<number[]>(
        `[...document.querySelectorAll('tbody tr')].map((row) => Number(row.cells[7].textContent))`,
      );
      expect(top1).toEqual([...top1].sort((a, b) => b - a));
      const press = (key: string): Promise<unknown> =>
        page.evaluate(
          `document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: '${key}', bubbles: true })); new Promise((done) => setTimeout(done, 60))`,
        );
      for (const key of ['j', 'x', 'j', 'x', 'b', 'c']) await press(key);
      await page.until(`location.hash.startsWith('#/compare') && document.querySelector('#table')`);
      expect(await page.evaluate(`sessionStorage.getItem('marked').split(',').length`)).toBe(2);
      expect(page.log).toEqual([]);
    });
  });

  test('a training is watched: it runs, is stopped, goes on, is killed, goes on and ends', async () => {
    const out = join(folder, 'watched');
    const flags = [
      '--data',
      'synthetic',
      '--limit-train',
      '640',
      '--limit-test',
      '100',
      '--model',
      'resnet8',
      '--threads',
      '1',
    ];
    const first = start(['train', ...flags, '--epochs', '40', '--batch-size', '16', '--out', out]);
    await withPage(async (page) => {
      await page.open(address(`#token=${serving.token}`));
      const shown = (state: string): Promise<void> =>
        page.until(
          `[...document.querySelectorAll('tr')].some((row) => row.textContent.includes('watched') && row.querySelector('.state')?.textContent === '${state}')`,
        );
      await shown('running');
      await page.evaluate(`[...document.querySelectorAll('th a')].find((a) => a.textContent === 'watched').click()`);
      await page.until(`document.querySelector('.chart canvas')`);
      const last = `Number(/train, each step: last ([\\d.]+)/.exec(document.querySelector('[data-chart=Loss]')?.getAttribute('aria-label') ?? '')?.[1])`;
      const before = await page.evaluate<number>(last);
      await page.until(`${last} !== ${before} && ${last} > 0`);
      const state = (name: string): Promise<void> =>
        page.until(`document.querySelector('.state')?.textContent === '${name}'`);
      first.child.kill('SIGINT');
      await first.finished;
      await state('stopped');
      await page.until(`${text}.includes('--resume')`);
      const second = start(['train', '--resume', out]);
      await state('running');
      second.child.kill('SIGKILL');
      await second.finished;
      await state('stale');
      const third = start(['train', '--resume', out]);
      await state('running');
      await page.until(`document.querySelector('.chart canvas')`);
      third.child.kill('SIGINT');
      await third.finished;
      await state('stopped');
      expect(page.log).toEqual([]);
    });
  }, 120_000);

  test('augmentations are drawn by a job, and errors kept by eval are shown', async () => {
    const out = join(folder, 'tiny');
    const made = await thrive([
      'train',
      '--data',
      'synthetic',
      '--limit-train',
      '320',
      '--limit-test',
      '100',
      '--model',
      'resnet8',
      '--epochs',
      '1',
      '--out',
      out,
    ]);
    expect(made.code, made.stderr).toBe(0);
    const kept = await thrive([
      'eval',
      join(out, 'last.safetensors'),
      '--limit-test',
      '100',
      '--save',
      '--teacher',
      join(out, 'last.safetensors'),
    ]);
    expect(kept.code, kept.stderr).toBe(0);
    await serving.index.scan();
    const id = idOf('tiny');
    await withPage(async (page) => {
      await page.open(address(`#token=${serving.token}`));
      await page.until(`document.querySelector('table')`);
      await page.evaluate(`location.hash = '#/run/${id}'; 0`);
      await page.until(`document.querySelector('.confusion svg') && document.querySelector('.images img')`);
      expect(await violations(page)).toEqual([]);
      await shoot(page, 'errors');
      await page.evaluate(`location.hash = '#/augment?data=synthetic&teacher=${id}&pick=teacher-entropy&count=4'; 0`);
      await page.until(`document.querySelector('.chip') && document.querySelector('button.main')`);
      await page.evaluate(`document.querySelector('button.main').click()`);
      await page.until(`document.querySelectorAll('.framed img').length === 8`);
      expect(await page.evaluate(`document.querySelectorAll('.opinion li').length`)).toBeGreaterThan(20);
      expect(await violations(page)).toEqual([]);
      await shoot(page, 'augment-drawn');
      // Measuring ends with the page.
      await page.evaluate(`[...document.querySelectorAll('button')].find((b) => b.textContent === 'Measure').click()`);
      await page.until(`document.querySelector('section[aria-labelledby=measure] table td.number')`);
      await page.evaluate(`location.hash = '#/runs'; 0`);
      await page.until(`document.querySelector('table.runs')`);
      const end = Date.now() + 5000;
      while (serving.jobs.running > 0 && Date.now() < end) await new Promise((done) => setTimeout(done, 50));
      expect(serving.jobs.running).toBe(0);
      expect(page.log).toEqual([]);
    });
  }, 120_000);
});
