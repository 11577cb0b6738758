/** @file The flags that commands share, and how their values are read. */
import { type Command, InvalidArgumentError } from 'commander';

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

export const integers = (text: string): number[] => text.split(',').map((part) => positiveInteger(part.trim()));

/** Names or paths between commas. */
export function names(text: string): string[] {
  const list = text.split(',').map((part) => part.trim());
  if (list.includes('')) throw new InvalidArgumentError('A name between the commas is missing.');
  return list;
}

/** A flag that may be given again. */
export const repeated = (text: string, before: string[] = []): string[] => [...before, text];

/** Numbers between commas. */
export const numbers = (text: string): number[] => text.split(',').map((part) => number(part.trim()));

export interface DataFlags {
  data?: string;
  dataDir?: string;
  limitTest?: number;
}

export interface EngineFlags {
  device?: string;
  precision?: 'fp32' | 'bf16';
  threads?: number;
  batchSize?: number;
  json?: boolean;
}

/** Which data, and where it lies. */
export function addDataFlags(command: Command): Command {
  return command
    .option('--data <name>', 'dataset: cifar100, cifar10, fashion-mnist, mnist, synthetic')
    .option('--data-dir <folder>', 'folder that holds the dataset (or set THRIVE_DATA)')
    .option('--limit-test <n>', 'use only n test images, the first n / classes of each class', positiveInteger);
}

/** How the engine computes. */
export function addEngineFlags(command: Command): Command {
  return command
    .option('--batch-size <n>', 'images a step', positiveInteger)
    .option('--device <name>', 'cpu, cuda, cuda:1 (default: cpu)')
    .option('--precision <name>', 'fp32, or bf16: mixed precision by autocast (default: fp32)')
    .option('--threads <n>', 'threads of the engine (default: all processors)', positiveInteger)
    .option('--json', 'print one JSON object on standard output, everything else on standard error');
}
