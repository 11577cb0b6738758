/** @file One chart of uPlot: raw lines under smoothed ones, bands, zoom shared by all charts of a page. */
import { effect, type Signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { palette } from '../../src/plot/svg.ts';
import { compact } from './format.ts';
import { isDark } from './state.ts';

export interface Line {
  label: string;
  x: number[];
  y: (number | null)[];
  /** Place in the palette; the line's own unless given. */
  colour?: number;
  dash?: number[];
  /** Not smoothed: measured seldom. */
  exact?: boolean;
  band?: { low: (number | null)[]; high: (number | null)[] };
}

export type Zoom = { min: number; max: number } | null;

/** Beyond this the ticks of an axis come too close for a number to tell them apart. */
export const LARGEST = 1e12;

const dashes = [[], [8, 4], [2, 3], [9, 3, 2, 3]];

/** Exponential moving average that begins unbiased, as in TensorBoard; gaps stay gaps. */
export function smooth(y: readonly (number | null)[], weight: number): (number | null)[] {
  if (weight === 0) return [...y];
  let [sum, debias] = [0, 1];
  return y.map((value) => {
    if (value === null) return null;
    sum = sum * weight + (1 - weight) * value;
    debias *= weight;
    return sum / (1 - debias);
  });
}

const parts = (dark: boolean) => ({
  ink: dark ? '#c3ccd6' : '#4d5763',
  grid: dark ? '#262d36' : '#e6e9ed',
});

export function lineColour(line: Line, i: number, dark: boolean): string {
  return palette[(line.colour ?? i) % palette.length]![dark ? 'dark' : 'light'];
}

interface ChartProps {
  title: string;
  lines: Line[];
  xTitle: string;
  log: boolean;
  logX?: boolean;
  smoothing: number;
  zoom: Signal<Zoom>;
  height?: number;
}

/** In words, for those who do not see it. */
function describe({ title, lines, xTitle }: ChartProps): string {
  const texts = lines.map(({ label, y }) => {
    const values = y.filter((value): value is number => value !== null);
    if (values.length === 0) return `${label}: no values`;
    const [low, high] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [values[0]!, values[0]!]);
    return `${label}: last ${compact(values.at(-1))}, from ${compact(low)} to ${compact(high)}`;
  });
  return `${title} against ${xTitle}. ${texts.join('. ')}`;
}

function tables(props: ChartProps): { data: uPlot.AlignedData; series: uPlot.Series[]; bands: uPlot.Band[] } {
  const dark = isDark.peek();
  const joined: uPlot.AlignedData[] = [];
  const series: uPlot.Series[] = [{ label: props.xTitle, value: (_, v) => (v === null ? '' : compact(v)) }];
  const bands: uPlot.Band[] = [];
  const drawable = (v: number | null): boolean => v !== null && Math.abs(v) < LARGEST && (!props.log || v > 0);
  const clean = (y: (number | null)[]): (number | null)[] => y.map((v) => (drawable(v) ? v : null));
  for (const [i, line] of props.lines.entries()) {
    const colour = lineColour(line, i, dark);
    const dash = line.dash ?? dashes[Math.floor((line.colour ?? i) / palette.length) % dashes.length]!;
    const smoothed = props.smoothing > 0 && line.exact !== true && line.y.length > 2;
    const columns: (number | null)[][] = [];
    const points = { show: line.x.length < 40 && !smoothed, size: 5, fill: colour };
    if (line.band) {
      bands.push({ series: [series.length + 1, series.length], fill: `${colour}26` });
      for (const edge of [line.band.low, line.band.high]) {
        columns.push(clean(edge));
        series.push({ label: '', stroke: 'transparent', points: { show: false }, spanGaps: true, class: 'edge' });
      }
    }
    if (smoothed) {
      columns.push(clean(line.y));
      series.push({
        label: `${line.label}, raw`,
        stroke: `${colour}59`,
        width: 1,
        points: { show: false },
        class: 'edge',
      });
    }
    columns.push(clean(smoothed ? smooth(line.y, props.smoothing) : line.y));
    series.push({ label: line.label, stroke: colour, width: 2, dash, points, value: (_, v) => compact(v) });
    joined.push([line.x, ...columns] as uPlot.AlignedData);
  }
  // Gaps that were recorded are gaps; x values that only other lines have are none.
  const data =
    joined.length > 0
      ? uPlot.join(
          joined,
          joined.map((table) => table.map(() => 2)),
        )
      : ([[]] as unknown as uPlot.AlignedData);
  return { data, series, bands };
}

export function Chart(props: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shape = useRef('');
  const ours = useRef(false);
  const { height = 240, zoom } = props;

  useEffect(() => {
    const target = place.current!;
    const build = (): void => {
      const { data, series, bands } = tables(props);
      const now = JSON.stringify([
        series.map(({ label, stroke, dash }) => [label, stroke, dash]),
        props.log,
        props.logX,
        isDark.peek(),
        props.xTitle,
      ]);
      if (plot.current && shape.current === now) {
        ours.current = true;
        plot.current.setData(data, zoom.peek() === null);
        const { current } = plot;
        if (zoom.peek()) current.setScale('x', zoom.peek()!);
        ours.current = false;
        return;
      }
      shape.current = now;
      plot.current?.destroy();
      const { ink, grid } = parts(isDark.peek());
      const axis = (label?: string): uPlot.Axis => ({
        stroke: ink,
        grid: { stroke: grid, width: 1 },
        ticks: { stroke: grid, width: 1 },
        font: '12px system-ui, sans-serif',
        labelFont: '12px system-ui, sans-serif',
        ...(label ? { label, labelSize: 20, size: 34 } : { size: 58 }),
        values: (_, ticks) => ticks.map((tick) => (tick === null ? '' : compact(tick))),
      });
      plot.current = new uPlot(
        {
          width: Math.max(200, target.clientWidth),
          height,
          scales: { x: { time: false, distr: props.logX ? 3 : 1 }, y: { distr: props.log ? 3 : 1 } },
          axes: [axis(props.xTitle), axis()],
          series,
          bands,
          cursor: { sync: { key: 'thrive' }, drag: { x: true, y: false, uni: 20 }, points: { size: 7 } },
          legend: { live: true },
          hooks: {
            setScale: [
              (u, key) => {
                if (key !== 'x' || ours.current) return;
                const { min, max } = u.scales.x!;
                const [first, last] = [u.data[0]![0], u.data[0]!.at(-1)];
                if (min == null || max == null || first === undefined || last === undefined) return;
                const whole = min <= first && max >= last;
                const old = zoom.peek();
                if (whole ? old !== null : old?.min !== min || old.max !== max)
                  zoom.value = whole ? null : { min, max };
              },
            ],
          },
        },
        data,
        target,
      );
      if (zoom.peek()) plot.current.setScale('x', zoom.peek()!);
    };
    build();
    // Colours follow the scheme; the canvas must be drawn anew.
    let first = true;
    return effect(() => {
      void isDark.value;
      if (!first) build();
      first = false;
    });
  }, [props.lines, props.log, props.logX, props.smoothing, props.xTitle]);

  useEffect(() => {
    const target = place.current!;
    const watcher = new ResizeObserver(() => {
      if (plot.current && target.clientWidth > 0 && Math.abs(plot.current.width - target.clientWidth) > 1)
        plot.current.setSize({ width: Math.max(200, target.clientWidth), height });
    });
    watcher.observe(target);
    const stop = effect(() => {
      const to = zoom.value;
      const u = plot.current;
      if (!u || u.data[0]!.length === 0) return;
      const whole = { min: u.data[0]![0]!, max: u.data[0]!.at(-1)! };
      // A scale without extent would never come to an end of its ticks.
      if (whole.min === whole.max) return;
      ours.current = true;
      u.setScale('x', to ?? whole);
      ours.current = false;
    });
    return () => {
      stop();
      watcher.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, []);

  return (
    <figure class="chart">
      <figcaption>{props.title}</figcaption>
      <div ref={place} class="plot" role="img" aria-label={describe(props)} data-chart={props.title} />
    </figure>
  );
}

/** Zoom by keyboard: what dragging does with a mouse. */
export function ZoomTools({ zoom, whole }: { zoom: Signal<Zoom>; whole: { min: number; max: number } | null }) {
  if (!whole) return null;
  const { min, max } = zoom.value ?? whole;
  const set = (from: number, to: number): void => {
    const [low, high] = [Math.max(whole.min, from), Math.min(whole.max, to)];
    zoom.value = low <= whole.min && high >= whole.max ? null : { min: low, max: high };
  };
  const span = max - min;
  return (
    <fieldset class="zoom">
      <legend class="hidden">Zoom</legend>
      <button type="button" aria-label="zoom in" onClick={() => set(min + span / 4, max - span / 4)}>
        +
      </button>
      <button type="button" aria-label="zoom out" onClick={() => set(min - span / 2, max + span / 2)}>
        −
      </button>
      <button type="button" aria-label="earlier" onClick={() => set(min - span / 4, max - span / 4)}>
        ←
      </button>
      <button type="button" aria-label="later" onClick={() => set(min + span / 4, max + span / 4)}>
        →
      </button>
      <button
        type="button"
        disabled={zoom.value === null}
        onClick={() => {
          zoom.value = null;
        }}
      >
        All
      </button>
    </fieldset>
  );
}
