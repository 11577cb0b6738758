/** @file `thrive report`: runs compared in one page of its own: no script, no network, printable. */
import { realpathSync } from 'node:fs';
import { type ComparisonGroup, compareProject, type Spread } from '../compare/compare.ts';
import type { ErrorReport } from '../networks/error-report.ts';
import { escapeXml } from '../plot/svg.ts';
import { lineChartSvg } from '../plot/svg-line-chart.ts';
import { readBrief } from './brief.ts';
import { rowDifferences } from './compare-runs.ts';
import { readObject } from './contain.ts';
import { readDetail } from './run-detail.ts';

export interface ReportOptions {
  title?: string;
  /** A file of `thrive score --out`. */
  score?: string | undefined;
}

/** Images are left out once the page has so many characters. */
const MOST = 850_000;
const IMAGES = 12;

const style = `:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;margin:0 auto;max-width:1080px;padding:24px;color:#1c2128;background:#fff}
h1{font-size:26px;margin:0}h2{font-size:20px;margin:36px 0 8px}h3{font-size:16px;margin:24px 0 6px}
p{margin:6px 0}.soft{color:#57606a}.small{font-size:13px}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums;margin:8px 0}
th,td{padding:4px 12px 4px 0;text-align:left;border-bottom:1px solid #d8dee4;vertical-align:baseline}th{font-weight:600}tbody th{font-weight:500}
.n{text-align:right;white-space:nowrap}
.note{background:#fff6e0;color:#7a4b00;border-radius:8px;padding:8px 14px;margin:12px 0}.note ul{margin:4px 0;padding-left:20px}
code{font:13px ui-monospace,Menlo,Consolas,monospace;overflow-wrap:anywhere}
figure{margin:12px 0}figure svg{max-width:100%;height:auto}
.images{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:12px}.images li{width:84px;font-size:12px;line-height:1.35}.images img{width:80px;height:80px;image-rendering:pixelated;display:block;border-radius:4px}
@media (prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}.soft{color:#9da7b3}th,td{border-color:#2a313a}.note{background:#2b2410;color:#f0c04a}}
@media print{body{max-width:none;padding:0;font-size:11pt}details>*{display:block}h2,h3,figure{break-inside:avoid;break-after:avoid}tr{break-inside:avoid}}`;

const number = (value: number | null | undefined, digits = 2): string =>
  value === null || value === undefined || !Number.isFinite(value) ? '–' : value.toFixed(digits);
const spreadText = (of: Spread | null, digits = 2): string =>
  of ? `${number(of.mean, digits)}${of.std === null ? '' : ` ± ${number(of.std, digits)}`}` : '–';

interface Cell {
  text: string;
  numeric?: boolean;
}
const n = (text: string): Cell => ({ text, numeric: true });

function table(head: readonly Cell[], rows: readonly (readonly Cell[])[]): string {
  const cell = (tag: string, { text, numeric }: Cell, scope = ''): string =>
    `<${tag}${scope}${numeric ? ' class="n"' : ''}>${escapeXml(text)}</${tag}>`;
  return [
    '<div class="scroll"><table><thead><tr>',
    ...head.map((one) => cell('th', one, ' scope="col"')),
    '</tr></thead><tbody>',
    ...rows.map(
      (row) =>
        `<tr>${row.map((one, i) => cell(i === 0 ? 'th' : 'td', one, i === 0 ? ' scope="row"' : '')).join('')}</tr>`,
    ),
    '</tbody></table></div>',
  ].join('');
}

/** Inside a page: without the prolog of a file. */
const inline = (svg: string): string => `<figure>${svg.replace(/^<\?xml[^>]*\?>\s*/, '')}</figure>`;

function chart({ comparison }: ComparisonGroup): string {
  const { rows, curves } = comparison;
  const series = curves.rows.map((points, i) => ({
    label: rows[i]!.label,
    points: points.map(({ epoch, mean, std }) => ({
      x: epoch,
      y: mean,
      band: std === null ? undefined : { low: mean - std, high: mean + std },
    })),
  }));
  if (!series.some(({ points }) => points.filter(({ y }) => Number.isFinite(y)).length > 1)) return '';
  return inline(
    lineChartSvg({ title: curves.title, xTitle: 'epoch', yTitle: curves.title, series }, { width: 900, height: 380 }),
  );
}

function fairness({ comparison: { rows, differences, notes } }: ComparisonGroup): string {
  const unfair = differences
    .filter(({ kind }) => kind === 'unfair')
    .map(
      ({ title, values }) =>
        `${title}: ${values.map(({ shown, rows: of }) => `${shown} in ${of.map((row) => rows[row]!.label).join('; ')}`).join(' / ')}`,
    );
  const unfinished = rows
    .filter(({ finished }) => !finished)
    .map(({ label, epoch, epochs }) => `unfinished: ${label} after ${epoch} of ${epochs} epochs`);
  const all = [...unfinished, ...unfair, ...notes];
  if (all.length === 0) return rows.length > 1 ? '<p>Rows differ only in what is compared.</p>' : '';
  return `<div class="note"><strong>Not compared like with like</strong><ul>${all.map((text) => `<li>${escapeXml(text)}</li>`).join('')}</ul></div>`;
}

function groupHtml(group: ComparisonGroup, more: readonly ComparisonGroup[]): string {
  const { data, student, comparison } = group;
  const { rows, teachers } = comparison;
  const taught = teachers.map(({ model, top1 }) => `teacher ${model} ${number(top1)} %`).join(', ');
  const tests = rowDifferences(comparison);
  return [
    `<h2>${escapeXml([data, student].filter(Boolean).join(', '))}</h2>`,
    taught && `<p class="soft">${escapeXml(taught)}</p>`,
    table(
      [
        { text: 'Runs' },
        n('Seeds'),
        n('Epochs'),
        n('Top-1 %'),
        n('Best %'),
        n('Test loss'),
        n('Images seen'),
        n('Minutes'),
      ],
      rows.map((row) => [
        { text: row.label },
        n(String(row.seeds.length)),
        n(row.finished ? String(row.epochs) : `${row.epoch}/${row.epochs}`),
        n(spreadText(row.top1)),
        n(`${spreadText(row.best)}${row.best?.chosenOn === 'test' ? '*' : ''}`),
        n(spreadText(row.loss, 4)),
        n(Number.isFinite(row.imagesSeen) ? Math.round(row.imagesSeen).toLocaleString('en-US') : '–'),
        n(number(row.seconds / 60, 1)),
      ]),
    ),
    '<p class="soft small">Top-1 and loss are the last epoch’s, on the test set; ± is the standard deviation over seeds (n − 1). * chosen with hindsight on the test set: no fair estimate.</p>',
    fairness(group),
    ...[group, ...more].map(chart),
    tests.length > 0 ? '<h3>Differences</h3>' : '',
    tests.length > 0
      ? table(
          [{ text: 'Rows' }, { text: 'Of' }, n('Difference'), n('95 % interval'), n('p')],
          tests.map(({ a, b, metric, difference, low, high, p }) => {
            const digits = metric === 'top1' ? 2 : 4;
            return [
              { text: `${rows[a]!.label} − ${rows[b]!.label}` },
              { text: metric === 'top1' ? 'top-1 %' : 'test loss' },
              n(number(difference, digits)),
              n(`${number(low, digits)} to ${number(high, digits)}`),
              n(p.toPrecision(2)),
            ];
          }),
        )
      : '',
    correlation(group),
  ].join('\n');
}

function correlation({ comparison }: ComparisonGroup): string {
  const found = comparison.correlation;
  if (!found || found.points.length === 0) return '';
  const stated = Object.entries({ Pearson: found.pearson, Spearman: found.spearman, Kendall: found.kendall })
    .flatMap(([name, one]) => (one ? [`${name} ${number(one.value, 3)} (p ${one.p.toPrecision(2)})`] : []))
    .join(', ');
  return [
    '<h3>T. stddev and test loss</h3>',
    `<p>${escapeXml(stated)}</p>`,
    table(
      [{ text: 'Augmentation' }, n('T. stddev'), n('Test loss')],
      found.points.map(({ label, tStddev, loss }) => [{ text: label }, n(tStddev.toFixed(6)), n(spreadText(loss, 4))]),
    ),
    ...found.notes.map((note) => `<p class="soft">${escapeXml(note)}</p>`),
  ].join('\n');
}

/** What `thrive eval --save` found, as far as it is what it writes. */
function errorsHtml(folder: string): string {
  let found: ErrorReport | null = null;
  try {
    found = readObject(folder, 'errors.json', 16 << 20) as unknown as ErrorReport | null;
  } catch {
    return '';
  }
  if (!found || !Array.isArray(found.worst) || !Array.isArray(found.classNames)) return '';
  const name = (c: unknown): string => escapeXml(String(found.classNames[Number(c)] ?? c));
  const images = found.worst
    .slice(0, IMAGES)
    .filter(({ png }) => typeof png === 'string' && /^[A-Za-z0-9+/=]+$/.test(png))
    .map(
      ({ png, label, student }) =>
        `<li><img src="data:image/png;base64,${png}" alt="${name(label)}"> ${name(label)}<br><span class="soft">said ${name(student)}</span></li>`,
    );
  return images.length > 0 ? `<h4>Surest and wrong</h4><ul class="images">${images.join('')}</ul>` : '';
}

function runHtml(folder: string, name: string, room: number): string {
  const brief = readBrief(folder, name, name);
  const { settings, command, versions } = readDetail({ id: name, folder, name, brief, stamp: '' });
  const errors = errorsHtml(folder);
  return [
    `<h3>${escapeXml(name)}</h3>`,
    `<p class="soft">${escapeXml([brief.state, brief.label, `seed ${brief.seed}`, `${brief.epoch} of ${brief.epochs} epochs`, `top-1 ${number(brief.top1)} %`].join(' · '))}</p>`,
    `<p><code>${escapeXml(command)}</code></p>`,
    `<details><summary>Settings</summary>${table(
      [{ text: 'Setting' }, { text: 'Value' }],
      settings.map(({ path, value }) => [{ text: path }, { text: value }]),
    )}<p class="soft small">${escapeXml(versions.map((pair) => pair.join(' ')).join(' · '))}</p></details>`,
    errors.length < room ? errors : '',
  ].join('\n');
}

/**
 * The report of runs, or of folders that hold some, as one HTML page.
 *
 * @throws UserError where there is no run, or one that was named is damaged
 */
export function makeReport(folders: readonly string[], { title = 'Runs compared', score }: ReportOptions = {}): string {
  const options = score === undefined ? {} : { score };
  const { groups, notes } = compareProject(folders, options);
  const losses = compareProject(folders, { metric: 'loss' }).groups;
  const training = compareProject(folders, { metric: 'train-loss' }).groups;
  const head = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escapeXml(title)}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"><style>${style}</style></head><body><main>
<h1>${escapeXml(title)}</h1><p class="soft">Made by thrive report, ${new Date().toISOString().slice(0, 10)}.</p>`;
  const parts = [head, ...groups.map((group, i) => groupHtml(group, [losses[i]!, training[i]!]))];
  if (notes.length > 0)
    parts.push(`<div class="note"><ul>${notes.map((note) => `<li>${escapeXml(note)}</li>`).join('')}</ul></div>`);
  parts.push('<h2>Each run</h2>');
  let length = parts.reduce((sum, part) => sum + part.length, 0);
  for (const { comparison } of groups) {
    for (const { folder } of comparison.rows.flatMap(({ runs }) => runs)) {
      const part = runHtml(realpathSync(folder), folder, MOST - length);
      length += part.length;
      parts.push(part);
    }
  }
  return `${parts.filter(Boolean).join('\n')}\n</main></body></html>\n`;
}
