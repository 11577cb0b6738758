/** @file What is wrong with a part of the user's, with the file and the line. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { UserError } from '../base/errors.ts';
import { noGrad, type Tensor, tidy } from '../torch/index.ts';
import { codeError } from './user-module.ts';

/** Where a part of the user's comes from: its file; null where it was given as an object. */
export interface Origin {
  /** `the loss mine of ./my-loss.ts`. */
  what: string;
  file: string | null;
}

/** `, line 12`: where a function is written in a file; nothing where it cannot be seen. */
function lineOfMember(file: string, member: string): string {
  const lines = readFileSync(resolve(file), 'utf8').split('\n');
  const written = new RegExp(`(^|[\\s{,(.])${member}\\s*[(:=]`);
  const at = lines.findIndex((line) => written.test(line) && !/^\s*(\/\/|\*|import\b)/.test(line));
  return at < 0 ? '' : `, line ${at + 1}`;
}

/** What a function of the user's returned does not fit: says where the function is. */
export const misfit = ({ what, file }: Origin, member: string, problem: string, hint: string): UserError =>
  new UserError(`${what}: ${member}${file ? lineOfMember(file, member) : ''} ${problem}`, { hint });

/** Run a function of the user's; what it throws says where. */
export function guarded<T>({ what, file }: Origin, member: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw failure({ what, file }, member, error);
  }
}

/** What a function of the user's threw, with the file and the line. */
export function failure({ what, file }: Origin, member: string, error: unknown): unknown {
  return file ? codeError(`${what} failed in ${member}`, file, error) : error;
}

/** Whether there is no NaN and no infinity in it. */
export const allFinite = (tensor: Tensor): boolean =>
  tidy(() => noGrad(() => tensor.detach().isfinite().all().item() === 1));

/** A value that came from a user, for a message. */
export function described(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'object') return `an object of class ${value.constructor?.name ?? 'none'}`;
  return `a ${typeof value}`;
}
