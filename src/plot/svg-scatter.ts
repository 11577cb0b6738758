/** @file A scatter plot in SVG, each point with its name, and the straight line of least squares. */
import { axis, scale } from './axes.ts';
import { leastSquares, type ScatterChart } from './chart.ts';
import { at, escapeXml, frame, labelRoom, svgDocument, text, textWidth } from './svg.ts';
import type { SvgOptions } from './svg-line-chart.ts';

interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

const overlap = (a: Rectangle, b: Rectangle): number =>
  Math.max(0, Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x)) *
  Math.max(0, Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y));

const HEIGHT = 14;

/** Beside, above or below its point, wherever a name covers least of what is there already. */
function placeNames(
  points: readonly { px: number; py: number; label: string }[],
  inside: Rectangle,
  drawn: readonly Rectangle[],
): { x: number; y: number; anchor: string }[] {
  const taken: Rectangle[] = [
    ...drawn,
    ...points.map(({ px, py }) => ({ x: px - 5, y: py - 5, width: 10, height: 10 })),
  ];
  return points.map(({ px, py, label }) => {
    const width = textWidth(label);
    // Which end of the name is at the point, and where its box begins; the best place first.
    const tries = (
      [
        ['start', px + 9, py - HEIGHT / 2],
        ['end', px - 9 - width, py - HEIGHT / 2],
        ['middle', px - width / 2, py - 9 - HEIGHT],
        ['middle', px - width / 2, py + 9],
        ['start', px + 7, py - 7 - HEIGHT],
        ['start', px + 7, py + 7],
        ['end', px - 7 - width, py - 7 - HEIGHT],
        ['end', px - 7 - width, py + 7],
      ] as const
    ).map(([anchor, x, y]) => ({ anchor, x, y, width, height: HEIGHT }));
    const cost = (r: Rectangle): number =>
      taken.reduce((sum, other) => sum + overlap(r, other), 0) + 3 * (r.width * r.height - overlap(r, inside));
    const best = tries.reduce((a, b) => (cost(b) < cost(a) - 1e-9 ? b : a));
    taken.push(best);
    const share = { start: 0, middle: 0.5, end: 1 }[best.anchor];
    return { anchor: best.anchor, x: best.x + share * width, y: best.y + HEIGHT - 3 };
  });
}

/** The chart as a standalone SVG document. Points that are not finite are left out. */
export function scatterSvg(chart: ScatterChart, { width = 800, height = 500 }: SvgOptions = {}): string {
  const { title = '', subtitle = '', xTitle, yTitle, fit = false } = chart;
  const points = chart.points.filter((p) => Number.isFinite(p.x) && Number.isFinite(p.y));
  const x = axis(points.map((p) => p.x));
  const y = axis(points.flatMap((p) => [p.y - (p.yError || 0), p.y + (p.yError || 0)]));
  const head = (title ? 28 : 0) + (subtitle ? 20 : 0);
  const box = { left: labelRoom(y) + 46, right: width - 24, top: head + 20, bottom: height - 52 };
  const [placeX, placeY] = [scale(x, box.left, box.right), scale(y, box.bottom, box.top)];
  const placed = points.map((p) => ({ px: placeX(p.x), py: placeY(p.y), label: p.label }));
  const inside = { x: box.left, y: box.top - 12, width: box.right - box.left, height: box.bottom - box.top + 12 };
  const line = fit ? leastSquares(points) : null;
  const [from, to] = [Math.min(...points.map((p) => p.x)), Math.max(...points.map((p) => p.x))];
  const onLine = (share: number): [number, number] => {
    const v = from + share * (to - from);
    return [placeX(v), placeY(line!.slope * v + line!.intercept)];
  };
  const drawnLine = line ? [onLine(0), onLine(1)].map(([px, py]) => `${at(px)} ${at(py)}`) : [];
  const names = placeNames(placed, inside, [
    ...points.flatMap((p, i) => {
      const half = p.yError ? Math.abs(placeY(p.y) - placeY(p.y + p.yError)) : 0;
      return half > 0 ? [{ x: placed[i]!.px - 3, y: placed[i]!.py - half, width: 6, height: 2 * half }] : [];
    }),
    // The line as a string of beads, a name beside it rather than across.
    ...Array.from({ length: line ? 101 : 0 }, (_, i) => onLine(i / 100)).map(([x, y]) => ({
      x: x - 2,
      y: y - 2,
      width: 4,
      height: 4,
    })),
  ]);
  return svgDocument(
    {
      width,
      height,
      title: title || `${yTitle} against ${xTitle}`,
      description: `${yTitle} against ${xTitle}: ${points.map(({ label }) => label).join('; ')}`,
    },
    [
      ...(title ? [text(box.left, 28, title, 'class="title"')] : []),
      ...(subtitle ? [text(box.left, title ? 48 : 24, subtitle, 'class="quiet"')] : []),
      ...frame(box, { axis: x, place: placeX, title: xTitle }, { axis: y, place: placeY, title: yTitle }),
      ...(drawnLine.length > 0 ? [`<path class="fit" d="M${drawnLine.join('L')}"/>`] : []),
      ...points.map((p, i) => {
        const { px, py } = placed[i]!;
        const error = p.yError
          ? `<path class="line" d="M${at(px)} ${at(placeY(p.y - p.yError))}V${at(placeY(p.y + p.yError))}"/>`
          : '';
        return `<g class="c0" data-point="${escapeXml(p.label)}">${error}<circle class="dot" cx="${at(px)}" cy="${at(py)}" r="4.5"/></g>`;
      }),
      ...names.map(({ x: nx, y: ny, anchor }, i) => text(nx, ny, points[i]!.label, `text-anchor="${anchor}"`)),
    ],
  );
}
