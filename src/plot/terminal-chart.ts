/** @file A line chart in characters: curves of braille dots (two by four in a character), letters that name them. */
import { axis, scale } from './axes.ts';
import { type LineChart, pieces } from './chart.ts';

export interface TerminalChartOptions {
  /** Characters a line may have. Default 80. */
  width?: number;
  /** Lines of the plot, without axis and legend. Default 16. */
  height?: number;
  /** Colours a text that belongs to the i-th series. */
  paint?: (series: number, text: string) => string;
  /** The one character that names the i-th series; a, b, c, … unless given. */
  letter?: (series: number) => string;
}

/** Bits of a braille character by column and row of its dots. */
const DOTS = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const;

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

const letterOf = (i: number): string => LETTERS[i % LETTERS.length]!;

interface Cell {
  bits: number;
  /** Whose dots, or letter, are seen. */
  series: number;
  letter?: string;
}

/** Characters of the plot; drawn on in dots, from the upper left corner. */
class Canvas {
  readonly #cells: (Cell | undefined)[][];
  readonly columns: number;
  readonly rows: number;

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
    this.#cells = Array.from({ length: rows }, () => new Array<Cell | undefined>(columns));
  }

  cell(column: number, row: number): Cell | undefined {
    return this.#cells[row]?.[column];
  }

  dot(x: number, y: number, series: number): void {
    const [column, row] = [x >> 1, y >> 2];
    const cells = this.#cells[row];
    if (!cells || column < 0 || column >= this.columns) return;
    const bits = (cells[column]?.bits ?? 0) | DOTS[x & 1]![y & 3]!;
    cells[column] = { bits, series };
  }

  /** Bresenham's line. */
  line(x0: number, y0: number, x1: number, y1: number, series: number): void {
    const [dx, dy] = [Math.abs(x1 - x0), -Math.abs(y1 - y0)];
    const [sx, sy] = [Math.sign(x1 - x0), Math.sign(y1 - y0)];
    let error = dx + dy;
    for (let [x, y] = [x0, y0]; ; ) {
      this.dot(x, y, series);
      if (x === x1 && y === y1) return;
      const twice = 2 * error;
      if (twice >= dy) {
        error += dy;
        x += sx;
      }
      if (twice <= dx) {
        error += dx;
        y += sy;
      }
    }
  }

  mark(column: number, row: number, series: number, letter: string): void {
    const cells = this.#cells[row];
    if (cells && column >= 0 && column < this.columns) cells[column] = { bits: 0, series, letter };
  }

  row(row: number, paint: (series: number, text: string) => string): string {
    const cells = Array.from({ length: this.columns }, (_, column) => this.cell(column, row));
    const last = cells.findLastIndex((cell) => cell !== undefined);
    return cells
      .slice(0, last + 1)
      .map((cell) => (cell ? paint(cell.series, cell.letter ?? String.fromCharCode(0x2800 + cell.bits)) : ' '))
      .join('');
  }
}

/** Characters between two letters on a curve. */
const SPACING = 16;

function clip(label: string, width: number): string {
  const letters = [...label.replace(/\p{Cc}/gu, ' ')];
  return letters.length <= width ? letters.join('') : `${letters.slice(0, Math.max(0, width - 1)).join('')}…`;
}

/** Names in rows no wider than `width`. */
function legend(
  labels: readonly string[],
  width: number,
  paint: (series: number, text: string) => string,
  letter: (series: number) => string,
): string[] {
  const lines: string[] = [];
  let used = width;
  for (const [i, label] of labels.entries()) {
    const shown = clip(label, width - 2);
    const size = [...shown].length + 2;
    const entry = `${paint(i, letter(i))} ${shown}`;
    if (lines.length > 0 && used + 3 + size <= width) {
      lines[lines.length - 1] += `   ${entry}`;
      used += 3 + size;
    } else {
      lines.push(entry);
      used = size;
    }
  }
  return lines;
}

/**
 * The chart as lines of text, none longer than `width` where that leaves room for the axis and ten characters of plot. Every
 * curve carries its letter from the legend, so that colours are not needed to tell them apart. Bands are not drawn.
 */
export function terminalChart(
  { title = '', xTitle, yTitle, series }: LineChart,
  { width = 80, height = 16, paint = (_, text) => text, letter = letterOf }: TerminalChartOptions = {},
): string[] {
  const parts = series.map(({ points }) => pieces(points));
  const all = parts.flat(2);
  const y = axis(
    all.map((point) => point.y),
    { count: Math.max(2, Math.floor(height / 4)) },
  );
  const labelWidth = Math.max(...y.ticks.map(({ label }) => label.length));
  const columns = Math.max(10, width - labelWidth - 2);
  const x = axis(
    all.map((point) => point.x),
    { count: Math.floor(columns / 8), whole: all.every((point) => Number.isInteger(point.x)), tight: true },
  );
  const canvas = new Canvas(columns, height);
  const [placeX, placeY] = [scale(x, 0, 2 * columns - 1), scale(y, 4 * height - 1, 0)];
  const toDot = (point: { x: number; y: number }): [number, number] => [
    Math.round(placeX(point.x)),
    Math.round(placeY(point.y)),
  ];

  for (const [i, ofSeries] of parts.entries()) {
    for (const part of ofSeries) {
      const dots = part.map(toDot);
      for (const [k, [px, py]] of dots.entries()) {
        const [qx, qy] = dots[k + 1] ?? [px, py];
        canvas.line(px, py, qx, qy, i);
      }
    }
  }
  // Letters last, so that no other curve is drawn over them; each series begins at another column.
  for (const [i, ofSeries] of parts.entries()) {
    const end = ofSeries.flat().at(-1);
    const marks = end ? [toDot(end)] : [];
    for (const part of ofSeries) {
      const dots = part.map(toDot);
      const offset = 4 + Math.round((SPACING * i) / Math.max(1, series.length));
      for (let column = offset; column < columns - 4; column += SPACING) {
        const k = dots.findIndex(([px], j) => px <= 2 * column && (dots[j + 1]?.[0] ?? -1) >= 2 * column);
        if (k < 0) continue;
        const [[px, py], [qx, qy]] = [dots[k]!, dots[k + 1]!];
        marks.push([2 * column, qx === px ? py : py + ((qy - py) * (2 * column - px)) / (qx - px)]);
      }
    }
    for (const [px, py] of marks) {
      const [column, row] = [px >> 1, Math.round(py) >> 2];
      if (canvas.cell(column, row)?.letter === undefined) canvas.mark(column, row, i, letter(i));
    }
  }

  const labels = new Map(y.ticks.map(({ value, label }) => [Math.round(placeY(value)) >> 2, label]));
  const plot = Array.from({ length: height }, (_, row) => {
    const label = labels.get(row);
    return `${(label ?? '').padStart(labelWidth)} ${label === undefined ? '│' : '┤'}${canvas.row(row, paint)}`;
  });
  const rule = new Array<string>(columns).fill('─');
  const under = new Array<string>(columns).fill(' ');
  for (const { value, label } of x.ticks) {
    const column = Math.round(placeX(value)) >> 1;
    rule[column] = '┬';
    const start = Math.min(columns - label.length, Math.max(0, column - (label.length >> 1)));
    const free = under.slice(Math.max(0, start - 1), start + label.length + 1).every((c) => c === ' ');
    if (free) under.splice(start, label.length, ...label);
  }
  const indent = ' '.repeat(labelWidth + 2);
  const axisLabels = under.join('').trimEnd();
  const named = `${axisLabels}  ${xTitle}`;
  return [
    clip(title || yTitle, width),
    ...plot,
    `${' '.repeat(labelWidth)} └${rule.join('')}`,
    ...(named.length <= columns
      ? [indent + named]
      : [
          indent + axisLabels,
          indent + ' '.repeat(Math.max(0, (columns - [...xTitle].length) >> 1)) + clip(xTitle, columns),
        ]),
    ...legend(
      series.map(({ label }) => label),
      width,
      paint,
      letter,
    ),
  ];
}
