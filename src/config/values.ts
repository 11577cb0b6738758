/** @file Schemas that several settings share, and how flags are read. */
import { z } from 'zod';

export const fraction = z.number().min(0).lt(1);
export const positive = z.number().positive().finite();
export const count = z.int().positive();
export const nonNegative = z.number().nonnegative().finite();
export const text = z.string().min(1);
export const texts = z.array(text).min(1);
export const numbers = z.array(z.number()).min(1);

/** Text of a flag: a number where it is one, else as it is, for the schema to refuse. */
export const plain = (written: string): unknown => {
  const value = Number(written);
  return written.trim() !== '' && Number.isFinite(value) ? value : written;
};

/** Names or numbers between commas. */
export const list = (written: string): unknown[] => written.split(',').map((part) => part.trim());
export const numberList = (written: string): unknown[] => list(written).map((part) => plain(String(part)));

/** One, or several if the flag is given again. */
export const repeated = (written: string, before: unknown): unknown =>
  before === undefined ? written : [...(Array.isArray(before) ? before : [before]), written];

export const asList = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? value : value === undefined ? [] : [value];

export type Dict = Record<string, unknown>;

export const isDict = (value: unknown): value is Dict =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
