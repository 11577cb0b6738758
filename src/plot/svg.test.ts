import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { elements, parseXml, type XmlElement } from '../../test/xml.ts';
import { leastSquares } from './chart.ts';
import { escapeXml, palette } from './svg.ts';
import { lineChartSvg } from './svg-line-chart.ts';
import { scatterSvg } from './svg-scatter.ts';

const texts = (root: XmlElement): XmlElement[] => elements(root, ({ name }) => name === 'text');
const number = (element: XmlElement, name: string): number => Number(element.attributes[name]);

/** Where a value is drawn, from the tick labels of the document itself: two of them fix the straight map. */
function readAxis(root: XmlElement, anchor: 'middle' | 'end', coordinate: 'x' | 'y'): (value: number) => number {
  const ticks = texts(root).filter(
    (t) => t.attributes['text-anchor'] === anchor && t.attributes.class === 'quiet' && /^-?[\d.,]+$/.test(t.text),
  );
  const [a, b] = [ticks[0]!, ticks.at(-1)!];
  const [va, vb] = [a, b].map((t) => Number(t.text.replaceAll(',', ''))) as [number, number];
  const shift = coordinate === 'y' ? -4 : 0; // text stands on its line, not around it
  const [pa, pb] = [a, b].map((t) => number(t, coordinate) + shift) as [number, number];
  return (value) => pa + ((value - va) / (vb - va)) * (pb - pa);
}

describe('a line chart', () => {
  const chart = {
    title: 'Top-1 <of> "two" & more',
    xTitle: 'epoch',
    yTitle: 'top-1 (%)',
    series: [
      { label: 'CE', points: [1, 2, 3, 4].map((x) => ({ x, y: [40, 52.5, 61, 60][x - 1]! })) },
      {
        label: 'KD & "mixup" <b>',
        points: [1, 2, 3, 4].map((x) => {
          const y = [45, Number.NaN, 63, 66][x - 1]!;
          return { x, y, band: { low: y - 2, high: y + 3 } };
        }),
      },
    ],
  };
  const root = parseXml(lineChartSvg(chart));

  test('says what it is, escaped', () => {
    expect(root.name).toBe('svg');
    expect(root.attributes.xmlns).toBe('http://www.w3.org/2000/svg');
    expect(root.children[0]).toMatchObject({ name: 'title', text: chart.title });
    expect(texts(root).map(({ text }) => text)).toEqual(
      expect.arrayContaining(['epoch', 'top-1 (%)', 'CE', 'KD & "mixup" <b>', chart.title]),
    );
  });

  test('every point lies where the axes say its value is', () => {
    const [placeX, placeY] = [readAxis(root, 'middle', 'x'), readAxis(root, 'end', 'y')];
    for (const { label, points } of chart.series) {
      const [group] = elements(root, (e) => e.attributes['data-series'] === label);
      const dots = elements(group!, ({ name }) => name === 'circle');
      const there = points.filter(({ y }) => !Number.isNaN(y));
      expect(dots).toHaveLength(there.length);
      for (const [i, { x, y }] of there.entries()) {
        expect(number(dots[i]!, 'cx')).toBeCloseTo(placeX(x), 1);
        expect(number(dots[i]!, 'cy')).toBeCloseTo(placeY(y), 1);
      }
    }
    const [first] = elements(root, (e) => e.attributes['data-series'] === 'CE');
    const [line] = elements(first!, (e) => e.attributes.class === 'line');
    const corners = [...line!.attributes.d!.matchAll(/(-?[\d.]+) (-?[\d.]+)/g)].map(([, x, y]) => [
      Number(x),
      Number(y),
    ]);
    expect(corners).toHaveLength(4);
    for (const [i, [x, y]] of corners.entries()) {
      expect(x).toBeCloseTo(placeX(i + 1), 1);
      expect(y).toBeCloseTo(placeY([40, 52.5, 61, 60][i]!), 1);
    }
  });

  test('NaN is a gap, and the band goes there and back', () => {
    const [group] = elements(root, (e) => e.attributes['data-series'] === 'KD & "mixup" <b>');
    const lines = elements(group!, (e) => e.attributes.class === 'line');
    expect(lines.map((e) => e.attributes.d!.split('L').length)).toEqual([2]);
    const [bands] = elements(root, (e) => e.attributes['data-band'] === 'KD & "mixup" <b>');
    const [band] = elements(bands!, (e) => e.attributes.class === 'band');
    const placeY = readAxis(root, 'end', 'y');
    const ys = [...band!.attributes.d!.matchAll(/ (-?[\d.]+)/g)].map(([, y]) => Number(y));
    for (const [i, value] of [66, 69, 64, 61].entries()) expect(ys[i]).toBeCloseTo(placeY(value), 1);
  });

  test('colours for light and dark', () => {
    const [style] = elements(root, ({ name }) => name === 'style');
    const [light, dark] = style!.text.split('@media (prefers-color-scheme:dark)');
    expect(light).toContain(`.c0{stroke:${palette[0]!.light}`);
    expect(dark).toContain(`.c0{stroke:${palette[0]!.dark}`);
  });

  test('every colour has contrast 3 to 1 with its paper', () => {
    // WCAG 2.2, relative luminance.
    const luminance = (hex: string): number => {
      const [r, g, b] = [1, 3, 5].map((i) => {
        const c = Number.parseInt(hex.slice(i, i + 2), 16) / 255;
        return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
      }) as [number, number, number];
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (a: string, b: string): number => {
      const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
      return (high + 0.05) / (low + 0.05);
    };
    for (const { light, dark } of palette) {
      expect(contrast(light, '#ffffff')).toBeGreaterThan(3);
      expect(contrast(dark, '#0d1117')).toBeGreaterThan(3);
    }
  });

  test('whatever it is given, the document is well-formed and has no NaN in it', () => {
    const value = fc.oneof(fc.double(), fc.double({ min: 0, max: 100, noNaN: true }));
    const series = fc.record({
      label: fc.string({ unit: 'binary' }),
      points: fc.array(
        fc.record({
          x: fc.integer({ min: 1, max: 300 }),
          y: value,
          band: fc.option(fc.record({ low: value, high: value }), { nil: undefined }),
        }),
        { maxLength: 6 },
      ),
    });
    fc.assert(
      fc.property(fc.array(series, { maxLength: 9 }), fc.string({ unit: 'binary' }), (list, title) => {
        const svg = lineChartSvg({ title, xTitle: title, yTitle: title, series: list });
        const parsed = parseXml(svg);
        const drawn = elements(parsed, ({ name }) => name !== 'text').flatMap((e) =>
          Object.entries(e.attributes).flatMap(([name, text]) => (name.startsWith('data-') ? [] : [text])),
        );
        expect(drawn.join(' ')).not.toMatch(/NaN|Infinity/);
        const groups = elements(parsed, (e) => e.attributes['data-series'] !== undefined);
        expect(groups).toHaveLength(list.length);
      }),
      { numRuns: 15 },
    );
  });
});

describe('a scatter plot', () => {
  const points = [
    { label: 'Identity', x: 0.0052, y: 1.18, yError: 0.01 },
    { label: 'CutMix', x: 0.0044, y: 1.14 },
    { label: 'lost', x: Number.NaN, y: 1 },
    { label: 'Mixup', x: 0.0047, y: 1.16 },
  ];
  const root = parseXml(scatterSvg({ xTitle: 'T. stddev', yTitle: 'test loss', points, fit: true }));

  test('places its points and names them', () => {
    const [placeX, placeY] = [readAxis(root, 'middle', 'x'), readAxis(root, 'end', 'y')];
    const groups = elements(root, (e) => e.attributes['data-point'] !== undefined);
    expect(groups.map((g) => g.attributes['data-point'])).toEqual(['Identity', 'CutMix', 'Mixup']);
    for (const group of groups) {
      const point = points.find(({ label }) => label === group.attributes['data-point'])!;
      const [dot] = elements(group, ({ name }) => name === 'circle');
      expect(number(dot!, 'cx')).toBeCloseTo(placeX(point.x), 1);
      expect(number(dot!, 'cy')).toBeCloseTo(placeY(point.y), 1);
    }
    const [fit] = elements(root, (e) => e.attributes.class === 'fit');
    const ends = [...fit!.attributes.d!.matchAll(/([\d.]+) ([\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]);
    // By hand: mean x 0.00476667, mean y 1.16; Sxy 1.6e-5, Sxx 3.266667e-7: slope 48.9796, so 1.14204 at 0.0044.
    expect(ends[0]![0]).toBeCloseTo(placeX(0.0044), 1);
    expect(ends[0]![1]).toBeCloseTo(placeY(1.142041), 1);
    expect(texts(root).map(({ text }) => text)).toEqual(expect.arrayContaining(['Identity', 'CutMix', 'Mixup']));
  });

  test('no points, one point', () => {
    for (const some of [[], points.slice(0, 1)]) {
      const svg = scatterSvg({ xTitle: 'x', yTitle: 'y', points: some, fit: true });
      expect(() => parseXml(svg)).not.toThrow();
      expect(svg).not.toMatch(/NaN|Infinity/);
    }
  });
});

test('least squares: exact on a line, undefined on a vertical one', () => {
  expect(leastSquares([0, 1, 2].map((x) => ({ x, y: 3 - 2 * x })))).toEqual({ slope: -2, intercept: 3 });
  expect(
    leastSquares([
      { x: 1, y: 1 },
      { x: 1, y: 2 },
    ]),
  ).toBeNull();
  expect(leastSquares([{ x: 1, y: 1 }])).toBeNull();
});

test('escaped text comes back as it was, less what XML forbids', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const back = parseXml(`<a b="${escapeXml(text)}">${escapeXml(text)}</a>`);
      expect(back.text.replaceAll('\ufffd', '').length).toBeLessThanOrEqual(text.length);
      expect(back.attributes.b).toBe(back.text);
    }),
  );
  expect(parseXml(`<a>${escapeXml(`<&>"'é`)}</a>`).text).toBe(`<&>"'é`);
  expect(escapeXml('a\u0000b\ud800c')).toBe('a\ufffdb\ufffdc');
});
