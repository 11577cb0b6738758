/** @file A square of counts in SVG, as shares of each row: who is taken for whom. */
import { at, escapeXml, svgDocument, text, textWidth } from './svg.ts';

export interface Heatmap {
  title: string;
  /** Names of rows and columns alike. */
  names: readonly string[];
  /** Row by row. */
  counts: ArrayLike<number>;
  rowTitle: string;
  columnTitle: string;
}

/** Dark where a row's count is a large share of the row; each cell tells its numbers on hovering. */
export function heatmapSvg({ title, names, counts, rowTitle, columnTitle }: Heatmap): string {
  const n = names.length;
  const cell = Math.max(6, Math.min(36, Math.floor(720 / n)));
  const size = Math.min(12, cell + 2);
  const room = Math.max(...names.map((name) => textWidth(name, size))) + 12;
  const [left, top] = [room + 24, room + 64];
  const body = [text(16, 26, title, 'class="title"')];
  body.push(text(left, 48, columnTitle, 'class="quiet"'));
  body.push(text(0, 0, rowTitle, `class="quiet" text-anchor="end" transform="translate(16 ${at(top)}) rotate(-90)"`));
  for (let row = 0; row < n; row++) {
    const y = top + row * cell;
    const total = Array.from({ length: n }, (_, c) => counts[row * n + c]!).reduce((sum, value) => sum + value, 0);
    const font = `style="font-size:${size}px"`;
    body.push(text(left - 6, y + cell / 2 + size / 3, names[row]!, `text-anchor="end" ${font}`));
    body.push(
      text(
        0,
        0,
        names[row]!,
        `${font} transform="translate(${at(left + row * cell + cell / 2 + size / 3)} ${at(top - 6)}) rotate(-90)"`,
      ),
    );
    for (let column = 0; column < n; column++) {
      const count = counts[row * n + column]!;
      const share = total > 0 ? count / total : 0;
      const kind = row === column ? 'c0' : 'c1';
      const x = left + column * cell;
      const tip = `${names[row]} taken for ${names[column]}: ${count} of ${total}`;
      const box = `x="${at(x)}" y="${at(y)}" width="${cell}" height="${cell}"`;
      body.push(
        `<g class="${kind}"><rect class="grid" ${box}/><rect ${box} fill="currentColor" stroke="none" fill-opacity="${at(share)}"><title>${escapeXml(tip)}</title></rect></g>`,
      );
      if (cell >= 24 && count > 0) {
        body.push(text(x + cell / 2, y + cell / 2 + 4, String(count), 'text-anchor="middle" style="font-size:10px"'));
      }
    }
  }
  const [width, height] = [Math.max(left + n * cell + 16, 32 + textWidth(title, 15)), top + n * cell + 16];
  return svgDocument({ width, height, title, description: `${rowTitle} by ${columnTitle}, ${n} classes` }, body);
}
