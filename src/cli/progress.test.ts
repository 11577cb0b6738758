import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { EpochRecord } from '../train/loop.ts';
import { evaluationProgress, imageProgress, type ProgressOptions, progress, transferProgress } from './progress.ts';

beforeEach(() => {
  vi.stubEnv('CI', '');
  vi.stubEnv('NO_COLOR', '');
  vi.stubEnv('TERM', 'xterm');
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.useRealTimers();
});

/** A terminal that understands what a progress bar needs: carriage return, erase line, newline. */
class Screen {
  readonly isTTY: boolean;
  readonly columns: number;
  /** Everything written, as it came. */
  raw = '';
  #lines = [''];
  #column = 0;

  constructor({ isTTY = true, columns = 200 } = {}) {
    this.isTTY = isTTY;
    this.columns = columns;
  }

  write(text: string): void {
    this.raw += text;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal is sent
    for (const [token] of text.matchAll(/\x1b\[2K|\x1b\[\d*m|[\s\S]/gu)) {
      if (token === '\r') this.#column = 0;
      else if (token === '\n') {
        this.#lines.push('');
        this.#column = 0;
      } else if (token === '\x1b[2K') this.#lines[this.#lines.length - 1] = '';
      else if (!token.startsWith('\x1b')) {
        const line = [...this.#lines.at(-1)!];
        line[this.#column++] = token;
        this.#lines[this.#lines.length - 1] = line.join('');
        if (this.#column > (this.columns || 80) - 1 && this.isTTY) throw new Error(`the line wraps: ${line.join('')}`);
      }
    }
  }
  get lines(): string[] {
    return this.#lines.at(-1) === '' ? this.#lines.slice(0, -1) : this.#lines;
  }
  get last(): string {
    return this.lines.at(-1) ?? '';
  }
}

/** A reporter with a clock that the test moves. */
function watched(options: Partial<ProgressOptions> = {}, screen = new Screen()) {
  let time = 1000;
  const reporter = progress({ epochs: 4, stream: screen, now: () => time, ...options });
  const counts = { trainCount: 640, testCount: 100, devCount: 0, parameters: 78042, epoch: 0, initEpochs: 0 };
  return {
    screen,
    reporter,
    start: (change = {}) => reporter.onStart!({ ...counts, ...change }),
    wait: (seconds: number) => {
      time += seconds;
    },
    /** One step of 64 images, ten an epoch. */
    step: (seconds: number, step: number, epoch = 0, loss = 2) => {
      time += seconds;
      reporter.onStep!(
        { terms: { ce: loss, kl: loss }, weights: { ce: 0.1, kl: 0.9 }, loss, correct: 10, samples: 64, measures: {} },
        { epoch, step, stepsPerEpoch: 10, lr: 0.1, stage: { name: 'train', epoch, step: epoch * 10 + step } },
      );
    },
    evaluate: (set: 'test' | 'dev' | 'teacher', seconds: number) => {
      for (const done of [50, 100]) {
        time += seconds / 2;
        reporter.onEvaluate!(set, done, 100);
      }
    },
  };
}
const record: EpochRecord = {
  epoch: 2,
  stage: 'train',
  step: 20,
  lr: 0.1,
  train: { loss: 1.23456, top1: 56.789, terms: {}, measures: {}, imagesPerSecond: 812.4 },
  test: { top1: 61.5, top5: 93.2, loss: 1.1, count: 100, imagesPerSecond: 1 },
  dev: null,
  isBest: true,
  seconds: 9,
};

describe('in a terminal', () => {
  test('one line is drawn over and over, and results stay above it', () => {
    const { screen, start, step, reporter } = watched();
    start();
    for (let i = 0; i < 10; i++) step(0.2, i);
    expect(screen.lines).toHaveLength(2);
    expect(screen.lines[0]).toBe('78,042 parameters; 640 training, 100 test images; 4 epochs');
    expect(screen.last).toMatch(
      /^epoch 1\/4 {2}━{20} {2}320 images\/s {2}loss 2\.0000 = ce 0\.200 \+ kl 1\.800 {2}0:06 left$/,
    );
    reporter.onEpoch!(record);
    expect(screen.lines).toHaveLength(2);
    expect(screen.last).toBe(
      'epoch 2/4  loss 1.2346  train 56.79 %  test 61.50 % (top-5 93.20 %, loss 1.1000)  812 images/s',
    );
    step(0.2, 0, 1);
    reporter.end();
    expect(screen.lines).toHaveLength(2);
    reporter.end();
    expect(screen.raw.split('\n')).toHaveLength(3);
  });

  test('a note does not run into the line', () => {
    const { screen, start, step, reporter } = watched();
    start();
    step(1, 0);
    reporter.note!('careful');
    expect(screen.lines.slice(1)).toEqual(['careful']);
  });

  test('not more than ten times a second', () => {
    const { screen, start, step } = watched();
    start();
    const before = screen.raw.split('\r').length;
    for (let i = 0; i < 100; i++) step(0.01, i % 10);
    expect(screen.raw.split('\r').length - before).toBeLessThanOrEqual(11);
    expect(screen.raw.split('\r').length - before).toBeGreaterThanOrEqual(9);
  });

  test.each([1, 10, 40, 79, 80, 0])('%i columns wide, nothing wraps', (columns) => {
    const { screen, step, evaluate, reporter } = watched({ label: 'student 🐦' }, new Screen({ columns }));
    step(1, 3);
    evaluate('test', 1);
    expect([...screen.last].length).toBeLessThanOrEqual(Math.max(0, (columns || 80) - 1));
    reporter.end();
    expect(screen.lines).toEqual([]);
  });

  test('the label tells runs apart', () => {
    const { screen, start, step, evaluate, reporter } = watched({ label: 'teacher' });
    start({ epoch: 2, devCount: 7 });
    step(1, 0);
    expect(screen.last).toMatch(/^teacher: epoch 1\/4/);
    evaluate('test', 1);
    expect(screen.last).toMatch(/^teacher: measuring on test ━{20} 100\/100$/);
    evaluate('teacher', 1);
    expect(screen.last).toMatch(/^teacher: measuring the teacher/);
    reporter.onEpoch!(record);
    expect(screen.last).toMatch(/^teacher: epoch 2\/4/);
    expect(screen.lines[0]).toBe(
      'teacher: 78,042 parameters; 640 training, 7 dev, 100 test images; 4 epochs, continuing after epoch 2',
    );
  });
});

describe('a line that is too long for the terminal', () => {
  test.each([50, 60, 80, 100, 140])('%i columns: the time left is never what is cut', (columns) => {
    const { screen, step, reporter } = watched({ label: 'distilled' }, new Screen({ columns }));
    reporter.onStart!({ trainCount: 640, testCount: 1, devCount: 0, parameters: 1, epoch: 0, initEpochs: 0 });
    screen.raw = '';
    for (let i = 0; i < 4; i++) step(2, i, 0, 12.3456);
    expect(screen.last).toMatch(/^distilled: epoch 1\/4 .* {2}\d+:\d\d left$/);
    expect([...screen.last].length).toBeLessThan(columns);
    reporter.onEpoch!({ ...record, dev: record.test });
    expect(screen.last).toMatch(/^distilled: epoch 2\/4 .*test 61\.50 %/);
    expect([...screen.last].length).toBeLessThan(columns);
  });

  test('the first steps warm up, and tell neither speed nor time', () => {
    const { screen, start, step } = watched();
    start();
    for (const i of [0, 1]) {
      step(2, i);
      expect(screen.last).toMatch(/- images\/s .*warming up$/);
    }
    step(1, 2);
    expect(screen.last).toMatch(/ 64 images\/s .*0:37 left$/);
  });

  test('weighted terms add up to the loss that is shown', () => {
    const { screen, start, step } = watched();
    start();
    for (let i = 0; i < 30; i++) step(0.2, i % 10, 0, 1 + Math.sin(i));
    const [, loss, ce, kl] = /loss ([\d.]+) = ce ([\d.]+) \+ kl ([\d.]+)/.exec(screen.last)!.map(Number);
    expect(Math.abs(loss! - ce! - kl!)).toBeLessThan(0.0012);
  });
});

describe('time left', () => {
  const left = (screen: Screen): string => /([\d:?]+) left$/.exec(screen.last)![1]!;

  test('is what is still to be trained at this speed', () => {
    const { screen, start, step } = watched({ epochs: 3 });
    start();
    for (let i = 0; i < 5; i++) step(2, i);
    // 64 images in 2 s; 25 of 30 steps to go.
    expect(left(screen)).toBe('0:50');
    expect(screen.last).toContain(' 32 images/s');
  });

  test('and to be measured, on every set, as long as it took before', () => {
    const { screen, start, step, evaluate, reporter } = watched({ epochs: 3 });
    start({ devCount: 10 });
    for (let i = 0; i < 10; i++) step(2, i);
    evaluate('dev', 30);
    evaluate('test', 70);
    reporter.onEpoch!(record);
    step(2, 0, 1);
    // 19 steps of 2 s, and two epochs' evaluations of 100 s.
    expect(left(screen)).toBe('3:58');
    for (let i = 1; i < 10; i++) step(2, i, 1);
    expect(left(screen)).toBe('3:40');
  });

  test('the speed is that of training: evaluations and the teacher’s do not slow it', () => {
    const { screen, start, step, evaluate } = watched({ epochs: 3 });
    evaluate('teacher', 500);
    start();
    for (let i = 0; i < 3; i++) step(2, i);
    expect(left(screen)).toBe('0:54');
    evaluate('test', 60);
    step(2, 3);
    expect(screen.last).toContain(' 32 images/s');
  });

  test('follows a change of speed, smoothly', () => {
    const { screen, start, step } = watched({ epochs: 100 });
    start();
    for (let i = 0; i < 10; i++) step(1, i);
    step(8, 0, 1);
    const speed = Number(/(\d+) images\/s/.exec(screen.last)![1]);
    expect(speed).toBe(58); // 64 + (8 - 64) / 10
    for (let i = 0; i < 60; i++) step(8, i % 10, 2);
    expect(screen.last).toContain(' 8 images/s');
  });
});

describe('in a log', () => {
  test.each<[string, Record<string, string>, boolean]>([
    ['no terminal', {}, false],
    ['CI', { CI: 'true' }, true],
    ['a dumb terminal', { TERM: 'dumb' }, true],
  ])('%s: a plain line every five seconds, none drawn over', (_what, env, isTTY) => {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    const { screen, start, step, reporter } = watched({ epochs: 10 }, new Screen({ isTTY, columns: 400 }));
    start();
    for (let i = 0; i < 100; i++) step(0.2, i % 10, Math.floor(i / 10));
    reporter.onEpoch!({ ...record, dev: record.test });
    reporter.end();
    // 20 s, one line at their start.
    const steps = screen.lines.filter((line) => line.includes(' left'));
    expect(steps).toHaveLength(3);
    expect(screen.lines.filter((line) => line.includes('warming up'))).toHaveLength(1);
    for (const code of ['\r', '\x1b[2K']) expect(screen.raw).not.toContain(code);
    expect(screen.last).toContain('best on dev');
  });
});

describe('colour', () => {
  test('only in terminals, and not where NO_COLOR is set', () => {
    const raw = (isTTY: boolean): string => {
      const { screen, reporter } = watched({}, new Screen({ isTTY }));
      reporter.onEpoch!({ ...record, dev: record.test });
      return screen.raw;
    };
    expect(raw(true)).toContain('\x1b[2mbest on dev\x1b[22m');
    expect(raw(false)).not.toContain('\x1b');
    vi.stubEnv('NO_COLOR', '1');
    expect(raw(true)).not.toContain('\x1b');
  });
});

describe('other bars', () => {
  test('an evaluation goes away when it is done', () => {
    const screen = new Screen();
    const bar = evaluationProgress('net.pth', screen);
    bar.update(64, 128);
    expect(screen.last).toBe('net.pth: measuring on test ━━━━━━━━━━╌╌╌╌╌╌╌╌╌╌ 64/128');
    bar.end();
    expect(screen.lines).toEqual([]);
  });

  test('a download fits its line and leaves it behind', () => {
    const screen = new Screen({ columns: 60 });
    const bar = transferProgress(screen);
    bar.update({ file: 'train-images.gz', received: 2 ** 20, total: 2 ** 21 });
    expect(screen.last).toBe('train-images.gz ━━━━━━━━━━╌╌╌╌╌╌╌╌╌╌ 1.0 of 2.0 MiB');
    bar.update({ file: 'a-file-with-a-long-name-indeed.tar.gz', received: 2 ** 21, total: 2 ** 21 });
    bar.end();
    bar.end();
    expect(screen.raw.endsWith('\n')).toBe(true);
    expect(screen.lines).toHaveLength(1);
  });

  test('a download in a log says when it begins and when it has ended', () => {
    const screen = new Screen({ isTTY: false });
    const bar = transferProgress(screen);
    for (let i = 1; i <= 100; i++) bar.update({ file: 'x', received: i, total: 100 });
    bar.end();
    expect(screen.lines).toHaveLength(2);
    expect(screen.raw).not.toContain('\r');
  });

  test('work on images: how many, how fast, how long yet', () => {
    const screen = new Screen();
    let time = 10;
    const bar = imageProgress('scoring', screen, () => time);
    bar.update(0, 40_000);
    expect(screen.last).toBe('scoring ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 0/40,000');
    time += 100;
    bar.update(10_000, 40_000);
    expect(screen.last).toBe('scoring ━━━━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 10,000/40,000  100 images/s  5:00 left');
    time += 0.01;
    bar.update(10_001, 40_000);
    expect(screen.last).toContain('10,000/40,000');
    bar.end();
    expect(screen.lines).toEqual([]);
  });
});
