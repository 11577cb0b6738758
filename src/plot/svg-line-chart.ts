/** @file A line chart in SVG: axes, grid, bands, a legend that wraps. */
import { axis, scale } from './axes.ts';
import { type LineChart, type Point, pieces } from './chart.ts';
import { at, dashes, escapeXml, frame, labelRoom, palette, svgDocument, text, textWidth } from './svg.ts';

export interface SvgOptions {
  /** Pixels. Default 800. */
  width?: number;
  /** Pixels of the plot with its axes; the legend comes below it. Default 460. */
  height?: number;
}

/** Up to so many points a line has dots, which say where something was measured. */
const MOST_DOTS = 30;

const SWATCH = 26;
const ROW = 20;

interface Entry {
  x: number;
  y: number;
  shown: string;
}

/** Places of the legend's entries, row after row, inside `width`; a label too long for a row is cut. */
function legend(labels: readonly string[], width: number): { entries: Entry[]; height: number } {
  let [x, y] = [0, 0];
  const most = Math.max(3, Math.floor((width - SWATCH - 8) / textWidth('m')));
  const entries = labels.map((label) => {
    const letters = [...label];
    const shown = letters.length > most ? `${letters.slice(0, most - 1).join('')}…` : label;
    const needed = SWATCH + 8 + textWidth(shown) + 18;
    if (x > 0 && x + needed - 18 > width) [x, y] = [0, y + ROW];
    const entry = { x, y, shown };
    x += needed;
    return entry;
  });
  return { entries, height: labels.length > 0 ? y + ROW : 0 };
}

/**
 * The chart as a standalone SVG document. Lines in the order given, each with its band (where a point has one), dots where there
 * are few points, and its name below the plot. NaN leaves a gap.
 */
export function lineChartSvg(chart: LineChart, { width = 800, height = 460 }: SvgOptions = {}): string {
  const { title = '', xTitle, yTitle, series } = chart;
  const all = series.flatMap(({ points }) => pieces(points).flat());
  const x = axis(
    all.map((point) => point.x),
    { count: 10, whole: all.every((point) => Number.isInteger(point.x)), tight: true },
  );
  const y = axis(all.flatMap((point) => [point.y, ...(point.band ? [point.band.low, point.band.high] : [])]));
  const box = { left: labelRoom(y) + 46, right: width - 24, top: title ? 48 : 20, bottom: height - 52 };
  const [placeX, placeY] = [scale(x, box.left, box.right), scale(y, box.bottom, box.top)];
  const place = (px: number, py: number): string => `${at(placeX(px))} ${at(placeY(py))}`;
  const names = legend(
    series.map(({ label }) => label),
    box.right - box.left,
  );

  const line = (points: readonly Point[]): string => `M${points.map((p) => place(p.x, p.y)).join('L')}`;
  const band = (points: readonly Point[]): string => {
    const held = points.filter((p) => p.band && Number.isFinite(p.band.low) && Number.isFinite(p.band.high));
    if (held.length < 2) return '';
    const there = held.map((p) => place(p.x, p.band!.high));
    const back = held.map((p) => place(p.x, p.band!.low)).reverse();
    return `<path class="band" d="M${[...there, ...back].join('L')}Z"/>`;
  };
  const drawn = series.map(({ label, points }, i) => {
    const parts = pieces(points);
    const dotted = points.length <= MOST_DOTS ? parts.flat() : parts.filter((part) => part.length === 1).flat();
    const dash = dashes[Math.floor(i / palette.length) % dashes.length];
    return [
      `<g class="c${i % palette.length}" data-series="${escapeXml(label)}">`,
      ...parts
        .filter((part) => part.length > 1)
        .map((part) => `<path class="line"${dash ? ` stroke-dasharray="${dash}"` : ''} d="${line(part)}"/>`),
      ...dotted.map((p) => `<circle class="dot" cx="${at(placeX(p.x))}" cy="${at(placeY(p.y))}" r="2.8"/>`),
      '</g>',
    ].join('');
  });
  // All bands first: none dulls another's line.
  const bands = series.flatMap(({ label, points }, i) => {
    const paths = pieces(points).map(band).join('');
    return paths === '' ? [] : [`<g class="c${i % palette.length}" data-band="${escapeXml(label)}">${paths}</g>`];
  });
  const listed = names.entries.flatMap(({ x: dx, y: dy, shown }, i) => {
    const [left, middle] = [box.left + dx, height + 10 + dy];
    const dash = dashes[Math.floor(i / palette.length) % dashes.length];
    return [
      `<g class="c${i % palette.length}"><path class="line"${dash ? ` stroke-dasharray="${dash}"` : ''} d="M${at(left)} ${at(middle)}h${SWATCH}"/></g>`,
      text(left + SWATCH + 8, middle + 4, shown),
    ];
  });
  return svgDocument(
    {
      width,
      height: height + names.height + (names.height > 0 ? 12 : 0),
      title: title || yTitle,
      description: `${yTitle} against ${xTitle}: ${series.map(({ label }) => label).join('; ')}`,
    },
    [
      ...(title ? [text(box.left, 28, title, 'class="title"')] : []),
      ...frame(box, { axis: x, place: placeX, title: xTitle }, { axis: y, place: placeY, title: yTitle }),
      ...bands,
      ...drawn,
      ...listed,
    ],
  );
}
