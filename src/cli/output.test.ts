import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { UserError } from '../base/errors.ts';
import { DivergedError } from '../train/step.ts';
import { bold, dim, duration, reportError, result, table } from './output.ts';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

describe('a table', () => {
  test('puts numbers to the right and words to the left', () => {
    const text = table(
      ['network', 'learns from', 'top-1 %', 'images/s', 'time'],
      [
        ['teacher', 'labels', '61.50', 1234, '1:02:03'],
        ['student', 'labels', '7.25', 5, '0:09'],
      ],
    );
    expect(text.split('\n')).toEqual([
      'network  learns from  top-1 %  images/s     time',
      '-------  -----------  -------  --------  -------',
      'teacher  labels         61.50      1234  1:02:03',
      'student  labels          7.25         5     0:09',
    ]);
  });

  test('what stands for a missing number does not make a column words', () => {
    const text = table(['loss'], [['0.1'], ['NaN'], ['-'], [''], ['-12,345.5'], ['35 %'], ['3 img/s']]);
    expect(text.split('\n')).toEqual([
      '     loss',
      '---------',
      '      0.1',
      '      NaN',
      '        -',
      '',
      '-12,345.5',
      '     35 %',
      '  3 img/s',
    ]);
  });

  test('without rows is its heading, and short rows are filled up', () => {
    expect(table(['a', 'bc'], [])).toBe('a  bc\n-  --');
    expect(table(['a', 'bc'], [['x']])).toBe('a  bc\n-  --\nx');
  });

  test('every column begins or ends where its heading does', () => {
    const cell = fc.stringMatching(/^[a-z][a-z ]{0,8}[a-z]$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, fc.nat(99999)), { minLength: 1, maxLength: 6 }), (rows) => {
        const [, rule, ...body] = table(['name', 'count'], rows).split('\n');
        const width = rule!.indexOf(' ');
        for (const [i, line] of body.entries()) {
          expect(line.slice(0, width).trimEnd()).toBe(rows[i]![0]);
          expect(line.slice(width).trim()).toBe(String(rows[i]![1]));
          expect(line.length).toBe(rule!.length);
        }
      }),
    );
  });
});

test.each([
  [0, '0:00'],
  [0.4, '0:00'],
  [59.4, '0:59'],
  [59.5, '1:00'],
  [75, '1:15'],
  [599, '9:59'],
  [3599.4, '59:59'],
  [3599.5, '1:00:00'],
  [3700, '1:01:40'],
  [360_000, '100:00:00'],
  [Number.NaN, '?'],
  [Number.POSITIVE_INFINITY, '?'],
])('%d s are %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

describe('colour', () => {
  test.each<[boolean, Record<string, string>, boolean]>([
    [true, { NO_COLOR: '', TERM: 'xterm' }, true],
    [true, { NO_COLOR: '1', TERM: 'xterm' }, false],
    [true, { NO_COLOR: '', TERM: 'dumb' }, false],
    [false, { NO_COLOR: '', TERM: 'xterm' }, false],
  ])('terminal %j with %j: %j', (isTTY, env, on) => {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    vi.stubGlobal('process', Object.create(process, { stdout: { value: { isTTY } } }));
    expect(bold('x')).toBe(on ? '\x1b[1mx\x1b[22m' : 'x');
    vi.unstubAllGlobals();
    expect(dim('x', { isTTY })).toBe(on ? '\x1b[2mx\x1b[22m' : 'x');
  });
});

describe('results and errors', () => {
  const caught = (run: () => unknown): { out: string; err: string; value: unknown } => {
    let [out, err] = ['', ''];
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      out += String(text);
      return true;
    });
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      err += String(text);
      return true;
    });
    const value = run();
    vi.restoreAllMocks();
    return { out, err, value };
  };

  test('one JSON object and nothing else, or text', () => {
    const text = vi.fn(() => 'as text');
    expect(caught(() => result(true, { a: [1, Number.NaN] }, text)).out).toBe('{"a":[1,null]}\n');
    expect(text).not.toHaveBeenCalled();
    expect(caught(() => result(undefined, {}, text)).out).toBe('as text\n');
  });

  test.each<[unknown, number, string]>([
    [new UserError('no such thing', { hint: 'try another' }), 2, 'error: no such thing\nhint: try another\n'],
    [new UserError('no'), 2, 'error: no\n'],
    [new DivergedError(['ce'], { ce: Number.NaN }), 1, 'error: the loss is not finite: ce (ce NaN)\n'],
    [
      new TypeError('x is undefined'),
      1,
      'error: x is undefined\nhint: run again with THRIVE_DEBUG=1 to see where this happened\n',
    ],
    ['thrown text', 1, 'error: thrown text\nhint: run again with THRIVE_DEBUG=1 to see where this happened\n'],
  ])('%s', (error, code, text) => {
    vi.stubEnv('THRIVE_DEBUG', '');
    const { out, err, value } = caught(() => reportError(error));
    expect([out, err, value]).toEqual(['', text, code]);
  });

  test('THRIVE_DEBUG shows where it happened', () => {
    vi.stubEnv('THRIVE_DEBUG', '1');
    expect(caught(() => reportError(new UserError('no'))).err).toMatch(/^error: no\nUserError: no\n\s+at /);
  });
});
