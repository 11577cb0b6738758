/** @file What the command line prints. With --json, standard output carries one JSON object and nothing else. */
import { stripVTControlCharacters, styleText } from 'node:util';
import { errorMessage, UserError } from '../base/errors.ts';
import { asTyped } from './invocation.ts';

/**
 * Whether to colour: where a person looks, unless NO_COLOR (https://no-color.org) is set or the terminal knows no escape codes.
 * FORCE_COLOR settles it either way (https://force-color.org).
 */
export function colour(stream: { isTTY?: boolean }): boolean {
  const { FORCE_COLOR: force, NO_COLOR: none, TERM } = process.env;
  if (force) return force !== '0' && force !== 'false';
  return Boolean(stream.isTTY) && !none && TERM !== 'dumb';
}

export const bold = (text: string): string =>
  colour(process.stdout) ? styleText('bold', text, { validateStream: false }) : text;
export const dim = (text: string, stream: { isTTY?: boolean } = process.stderr): string =>
  colour(stream) ? styleText('dim', text, { validateStream: false }) : text;

/** A line for the person watching. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** The result: an object for machines, or text for people. */
export function result(json: boolean | undefined, object: object, text: () => string): void {
  process.stdout.write(json ? `${JSON.stringify(object)}\n` : `${text()}\n`);
}

/** A number with its unit, a duration, or what stands for a number that is not there. */
const numeric = /^(-?[\d.,:]*\d[\d.,:]*( ?[%a-z/]+)?|-?(NaN|Infinity)|-|\?|)$/;

/** Left-aligned text and right-aligned numbers under their headings. */
export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [header, ...rows].map((row) => header.map((_, c) => String(row[c] ?? '')));
  const plain = cells.map((row) => row.map((cell) => stripVTControlCharacters(cell)));
  const widths = header.map((_, c) => Math.max(...plain.map((row) => [...row[c]!].length)));
  const [head = [], ...body] = cells;
  const right = header.map(
    (_, c) => body.length > 0 && body.every((row) => numeric.test(stripVTControlCharacters(row[c]!))),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, c) => {
        const space = ' '.repeat(widths[c]! - [...stripVTControlCharacters(cell)].length);
        return right[c] ? space + cell : cell + space;
      })
      .join('  ')
      .trimEnd();
  return [bold(line(head)), widths.map((width) => '-'.repeat(width)).join('  '), ...body.map(line)].join('\n');
}

/** 75 s as `1:15`, 3,700 s as `1:01:40`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const whole = Math.round(seconds);
  const two = (n: number): string => String(n).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const rest = `${hours > 0 ? two(Math.floor(whole / 60) % 60) : Math.floor(whole / 60)}:${two(whole % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}

/** Exit codes: bad input is the user's to mend, anything else is a failure of the run or of Thrive. */
export const exitCodes = { ok: 0, failure: 1, badInput: 2, interrupted: 130 } as const;

/** Print an error as a person should see it and say how to exit. THRIVE_DEBUG=1 adds the stack. */
export function reportError(error: unknown): number {
  const user = error instanceof UserError;
  say(`error: ${asTyped(errorMessage(error))}`);
  if (user && error.hint) say(`hint: ${asTyped(error.hint)}`);
  if (process.env.THRIVE_DEBUG && error instanceof Error) say(String(error.stack));
  else if (!user && !(error instanceof Error && error.name === 'DivergedError')) {
    say('hint: run again with THRIVE_DEBUG=1 to see where this happened');
  }
  return user ? exitCodes.badInput : exitCodes.failure;
}
