/** @file Progress of a run: one line redrawn in a terminal, a plain line every few seconds elsewhere. */
import { quantity } from '../base/quantity.ts';
import type { Reporter } from '../run/index.ts';
import { dim, duration } from './output.ts';

type Stream = { isTTY?: boolean; columns?: number; write(text: string): unknown };

const PLAIN_SECONDS = 5;
const DRAW_SECONDS = 0.1;

const bar = (fraction: number, width = 20): string => {
  const full = Math.round(fraction * width);
  return '━'.repeat(full) + '╌'.repeat(width - full);
};

/** Whether a line can be drawn over: not in a log, nor in a terminal that knows no escape codes. */
const isLive = (stream: Stream): boolean => Boolean(stream.isTTY) && !process.env.CI && process.env.TERM !== 'dumb';

/** As much as fits on one line of a terminal; some report a width of 0. */
const clip = (text: string, stream: Stream): string => [...text].slice(0, (stream.columns || 80) - 1).join('');

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
  let lossAverage = Number.NaN;
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
    note: (text) => line(`${prefix}${text}`),
    onStart({ trainCount: count, testCount, devCount, parameters, epoch, ...start }) {
      initEpochs = start.initEpochs;
      trainCount = count;
      stepEnd = now();
      const sets = `${count} training${devCount ? `, ${devCount} dev` : ''}, ${testCount} test images`;
      const first = initEpochs > 0 ? `${quantity(initEpochs, 'epoch')} of initialisation, then ` : '';
      const from = epoch > 0 ? `, continuing after epoch ${epoch}` : '';
      line(`${prefix}${quantity(parameters, 'parameter')}; ${sets}; ${first}${quantity(epochs, 'epoch')}${from}`);
    },
    onStep(result, { epoch, step, stepsPerEpoch, stage }) {
      const time = now();
      const rate = result.samples / Math.max(1e-9, time - stepEnd);
      stepEnd = time;
      // Smoothed over about ten steps: single steps jump on a busy machine.
      speed = speed === 0 ? rate : speed + (rate - speed) / 10;
      lossAverage = Number.isNaN(lossAverage) ? result.loss : lossAverage + (result.loss - lossAverage) / 20;
      draw(() => {
        const epochsLeft = initEpochs + epochs - epoch - (step + 1) / stepsPerEpoch;
        const evaluation = [...evaluationSeconds.values()].reduce((sum, seconds) => sum + seconds, 0);
        const left =
          (epochsLeft * trainCount) / speed +
          evaluation * Math.ceil(Math.min(epochs, initEpochs + epochs - epoch) / evaluateEvery);
        const terms = Object.entries(result.terms).map(([name, value]) => `${name} ${value.toFixed(3)}`);
        return `${prefix}${where(stage.name, epoch + 1)} ${bar((step + 1) / stepsPerEpoch)} ${speed.toFixed(0)} images/s  loss ${lossAverage.toFixed(4)} (${terms.join(', ')})  ${duration(left)} left`;
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
      const scores = [
        // Before its own epochs a run minimises no cross entropy.
        ...(stage === 'train' ? [`train ${percent(train.top1)}`] : []),
        ...(dev ? [`dev ${percent(dev.top1)}`] : []),
        ...(test ? [`test ${percent(test.top1)} (top-5 ${percent(test.top5)}, loss ${test.loss.toFixed(4)})`] : []),
      ];
      line(
        `${prefix}${where(stage, epoch)}  loss ${train.loss.toFixed(4)}  ${[...scores, ''].join('  ')}${train.imagesPerSecond.toFixed(0)} images/s${isBest && dev ? dim('  best on dev', stream) : ''}`,
      );
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
