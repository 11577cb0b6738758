/** @file The flags that commands share, and how their values are read. */
import { InvalidArgumentError } from 'commander';

export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It is not a number.');
  return value;
}

export function integer(text: string): number {
  const value = number(text);
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('It is not a whole number.');
  return value;
}

export function positiveInteger(text: string): number {
  const value = integer(text);
  if (value < 1) throw new InvalidArgumentError('It must be at least 1.');
  return value;
}

/** Names or paths between commas. */
export function names(text: string): string[] {
  const list = text.split(',').map((part) => part.trim());
  if (list.includes('')) throw new InvalidArgumentError('A name between the commas is missing.');
  return list;
}

export const jsonHelp = 'print one JSON object on standard output, everything else on standard error';
