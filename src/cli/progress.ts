/** @file Progress of a run: one line redrawn in a terminal, a plain line every few seconds elsewhere. */
import { quantity } from '../base/quantity.ts';
import type { Reporter } from '../run/index.ts';
import { wrap } from './layout.ts';
import { dim, duration } from './output.ts';

type Stream = { isTTY?: boolean; columns?: number; write(text: string): unknown };

const PLAIN_SECONDS = 5;
const DRAW_SECONDS = 0.1;
/** Steps before a speed is worth telling: memory is taken and kernels are chosen in the first ones. */
const WARM_UP = 2;

const bar = (fraction: number, width = 20): string => {
  const full = Math.round(fraction * width);
  return '━'.repeat(full) + '╌'.repeat(width - full);
};

/** Whether a line can be drawn over: not in a log, nor in a terminal that knows no escape codes. */
const isLive = (stream: Stream): boolean => Boolean(stream.isTTY) && !process.env.CI && process.env.TERM !== 'dumb';

/** Characters of a line; some terminals report a width of 0. The last column stays free: some wrap when it is written. */
const room = (stream: Stream): number => (stream.columns || 80) - 1;

/** As much as fits on one line of a terminal. */
const clip = (text: string, stream: Stream): string => [...text].slice(0, room(stream)).join('');

/** A part of a line: texts from long to short. What matters least gives way first: the highest number. */
type Part = readonly [importance: number, ...texts: string[]];

/** Parts side by side within `width`; those that do not fit are shortened or left out, the least important first. */
export function layOut(parts: readonly Part[], width: number): string {
  const shown = parts.map(([, ...texts]) => ({ texts, at: 0 }));
  const line = (): string =>
    shown
      .map(({ texts, at }) => texts[at] ?? '')
      .filter((text) => text !== '')
      .join('  ');
  const order = parts.map((_, i) => i).sort((a, b) => parts[b]![0] - parts[a]![0]);
  for (const i of order) {
    const part = shown[i]!;
    // The first part of all is never left out.
    while ([...line()].length > width && part.at < part.texts.length - (parts[i]![0] === 0 ? 1 : 0)) part.at++;
  }
  return line();
}

const percent = (value: number): string => `${value.toFixed(2)} %`;

export interface ProgressOptions {
  epochs: number;
  /** Epochs between two evaluations. Default 1. */
  evaluateEvery?: number;
  /** Where to draw; standard error unless a test says otherwise. */
  stream?: Stream;
  now?: () => number;
  /** Shown before everything, to tell several runs apart. */
  label?: string;
}

/** A reporter that draws. Never uses timers: a training step blocks them. */
export function progress({
  epochs,
  evaluateEvery = 1,
  stream = process.stderr,
  now = () => performance.now() / 1000,
  label = '',
}: ProgressOptions): Reporter & { end(): void } {
  const live = isLive(stream);
  const prefix = label ? `${label}: ` : '';
  let drawnAt = Number.NEGATIVE_INFINITY;
  let dirty = false;
  let speed = 0;
  /** Weighted terms, smoothed alike, so that they add up to the loss that is shown. */
  const shares = new Map<string, number>();
  let lossAverage = Number.NaN;
  let stepsSeen = 0;
  let stepEnd = now();
  let trainCount = 0;
  let initEpochs = 0;
  let evaluationStart = Number.NaN;
  /** How long an epoch's evaluations take, by set. */
  const evaluationSeconds = new Map<string, number>();

  const clear = (): void => {
    if (dirty) stream.write('\r\x1b[2K');
    dirty = false;
  };
  const line = (text: string): void => {
    clear();
    stream.write(`${text}\n`);
  };
  /** Broken between words where the terminal is narrower. */
  const paragraph = (text: string): void => line(wrap(text, live ? room(stream) : undefined, '  ').join('\n'));
  const draw = (text: () => string): void => {
    const time = now();
    if (time - drawnAt < (live ? DRAW_SECONDS : PLAIN_SECONDS)) return;
    drawnAt = time;
    if (!live) {
      line(text());
      return;
    }
    stream.write(`\r\x1b[2K${clip(text(), stream)}`);
    dirty = true;
  };

  /** An epoch of the whole run, counted from 1, as the person knows it. */
  const where = (stage: 'init' | 'train', epoch: number): string =>
    stage === 'init' ? `initialisation ${epoch}/${initEpochs}` : `epoch ${epoch - initEpochs}/${epochs}`;

  return {
    note: (text) => paragraph(`${prefix}${text}`),
    onStart({ trainCount: count, testCount, devCount, parameters, epoch, ...start }) {
      initEpochs = start.initEpochs;
      trainCount = count;
      stepEnd = now();
      const sets = `${count} training${devCount ? `, ${devCount} dev` : ''}, ${testCount} test images`;
      const first = initEpochs > 0 ? `${quantity(initEpochs, 'epoch')} of initialisation, then ` : '';
      const from = epoch > 0 ? `, continuing after epoch ${epoch}` : '';
      paragraph(`${prefix}${quantity(parameters, 'parameter')}; ${sets}; ${first}${quantity(epochs, 'epoch')}${from}`);
    },
    onStep(result, { epoch, step, stepsPerEpoch, stage }) {
      const time = now();
      const rate = result.samples / Math.max(1e-9, time - stepEnd);
      stepEnd = time;
      stepsSeen++;
      const warming = stepsSeen <= WARM_UP;
      // Smoothed over about ten steps: single steps jump on a busy machine.
      speed = stepsSeen <= WARM_UP + 1 ? rate : speed + (rate - speed) / 10;
      const smooth = (before: number | undefined, value: number): number =>
        before === undefined || Number.isNaN(before) ? value : before + (value - before) / 20;
      lossAverage = smooth(lossAverage, result.loss);
      for (const [name, value] of Object.entries(result.terms)) {
        shares.set(name, smooth(shares.get(name), value * (result.weights?.[name] ?? 1)));
      }
      draw(() => {
        const epochsLeft = initEpochs + epochs - epoch - (step + 1) / stepsPerEpoch;
        const evaluation = [...evaluationSeconds.values()].reduce((sum, seconds) => sum + seconds, 0);
        const left =
          (epochsLeft * trainCount) / speed +
          evaluation * Math.ceil(Math.min(epochs, initEpochs + epochs - epoch) / evaluateEvery);
        const terms = [...shares].filter(([name]) => result.weights?.[name] !== 0);
        const sum = terms.map(([name, value]) => `${name} ${value.toFixed(3)}`).join(' + ');
        const loss = `loss ${lossAverage.toFixed(4)}`;
        const fraction = (step + 1) / stepsPerEpoch;
        return layOut(
          [
            [0, `${prefix}${where(stage.name, epoch + 1)}`],
            [4, bar(fraction), bar(fraction, 10)],
            [2, `${warming ? '-' : speed.toFixed(0)} images/s`],
            [3, terms.length > 1 ? `${loss} = ${sum}` : loss, loss],
            [1, warming ? 'warming up' : `${duration(left)} left`],
          ],
          live ? room(stream) : Number.POSITIVE_INFINITY,
        );
      });
    },
    onEvaluate(set, done, total) {
      // The first call comes after the first batch; what was before it ended when this began.
      if (Number.isNaN(evaluationStart)) evaluationStart = stepEnd;
      draw(
        () =>
          `${prefix}${set === 'teacher' ? 'measuring the teacher' : `measuring on ${set}`} ${bar(done / total)} ${done}/${total}`,
      );
      if (done === total) {
        if (set !== 'teacher') evaluationSeconds.set(set, now() - evaluationStart);
        evaluationStart = Number.NaN;
        stepEnd = now();
      }
    },
    onEpoch({ epoch, stage, train, test, dev, isBest }) {
      const width = live ? room(stream) : Number.POSITIVE_INFINITY;
      const best = isBest && dev ? 'best on dev' : '';
      const text = layOut(
        [
          [0, `${prefix}${where(stage, epoch)}`],
          [3, `loss ${train.loss.toFixed(4)}`],
          // Before its own epochs a run minimises no cross entropy.
          [4, stage === 'train' ? `train ${percent(train.top1)}` : ''],
          [2, dev ? `dev ${percent(dev.top1)}` : ''],
          [
            1,
            ...(test
              ? [
                  `test ${percent(test.top1)} (top-5 ${percent(test.top5)}, loss ${test.loss.toFixed(4)})`,
                  `test ${percent(test.top1)}`,
                ]
              : ['']),
          ],
          [5, `${train.imagesPerSecond.toFixed(0)} images/s`],
          [6, best],
        ],
        width,
      );
      const fitted = live ? clip(text, stream) : text;
      line(best !== '' && fitted.endsWith(best) ? fitted.slice(0, -best.length) + dim(best, stream) : fitted);
      shares.clear();
      lossAverage = Number.NaN;
      stepEnd = now();
    },
    end: clear,
  };
}

/** For commands that measure without training: the same bar. */
export function evaluationProgress(
  what: string,
  stream: Stream = process.stderr,
): { update(done: number, total: number): void; end(): void } {
  const reporter = progress({ epochs: 1, label: what, stream });
  return {
    update: (done, total) => reporter.onEvaluate?.('test', done, total),
    end: () => reporter.end(),
  };
}

/** A bar for downloads, by file. */
export function transferProgress(stream: Stream = process.stderr): {
  update(at: { file: string; received: number; total: number }): void;
  end(): void;
} {
  const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
  const live = isLive(stream);
  let drawnAt = Number.NEGATIVE_INFINITY;
  let dirty = false;
  return {
    update({ file, received, total }) {
      const now = performance.now() / 1000;
      if (received < total && now - drawnAt < (live ? DRAW_SECONDS : PLAIN_SECONDS)) return;
      drawnAt = now;
      const text = `${file} ${bar(Math.min(1, received / total))} ${mib(received)} of ${mib(total)} MiB`;
      stream.write(live ? `\r\x1b[2K${clip(text, stream)}` : `${text}\n`);
      dirty = live;
    },
    end() {
      if (dirty) stream.write('\n');
      dirty = false;
    },
  };
}

/** A bar with speed and time left, for work that goes through so many images. Started when it is made. */
export function imageProgress(
  what: string,
  stream: Stream = process.stderr,
  now: () => number = () => performance.now() / 1000,
): { update(done: number, total: number): void; end(): void } {
  const live = isLive(stream);
  let drawnAt = Number.NEGATIVE_INFINITY;
  let dirty = false;
  let began: number | undefined;
  return {
    update(done, total) {
      const time = now();
      began ??= time;
      if (done < total && time - drawnAt < (live ? DRAW_SECONDS : PLAIN_SECONDS)) return;
      drawnAt = time;
      const speed = done / (time - began);
      const left = Number.isFinite(speed)
        ? `  ${speed.toFixed(0)} images/s  ${duration((total - done) / speed)} left`
        : '';
      const text = `${what} ${bar(done / total)} ${done.toLocaleString('en-US')}/${total.toLocaleString('en-US')}${left}`;
      stream.write(live ? `\r\x1b[2K${clip(text, stream)}` : `${text}\n`);
      dirty = live;
    },
    end() {
      if (dirty) stream.write('\r\x1b[2K');
      dirty = false;
    },
  };
}
