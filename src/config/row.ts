/** @file What a setting is: one row, from which everything else about it follows. */
import type { z } from 'zod';

/** What there is to choose from: losses, augmentations, datasets. Given to rows, so that --help loads none of it. */
export type World = typeof import('./world.ts');

/** The settings resolved so far, in the order of the table. */
export type Draft = Readonly<Record<string, unknown>>;

export const groups = [
  'First run',
  'Data',
  'Networks',
  'Teachers',
  'Optimisation',
  'Learning-rate schedule',
  'Distillation',
  'Second view and picking',
  'Measuring',
  'Machine',
] as const;
export type Group = (typeof groups)[number];

/** Why a setting would change nothing, and what to do. */
export interface NoEffect {
  why: string;
  hint?: string;
}

export interface Setting<S extends z.ZodType = z.ZodType> {
  /** Of the value as a file or code says it. */
  schema: S;
  group: Group;
  /** One sentence, for --help and docs; without its default. */
  help: string;
  /** What stands for the value in --help; none for a switch. Null: no flag. */
  value?: string | null;
  /** Reads the flag's text; a number where it looks like one, else the text itself. `before`: what the same flag said before. */
  read?: (text: string, before: unknown) => unknown;
  /** The command it belongs to; both unless said. */
  task?: 'train' | 'distill';
  required?: true;
  /** A value, or what it follows from. */
  default?: unknown;
  /** The default in words, where it is a function. */
  defaultText?: string;
  /** Why it would change nothing beside the others: then it is refused, and has no default. */
  needs?: (given: Draft, world: World) => NoEffect | false | undefined;
  /** One spelling of a value, checked against the other settings. */
  settle?: (value: never, given: Draft, world: World) => unknown;
  /** What it may be, where that is a list. */
  names?: (world: World) => readonly string[];
  /** `file`: a path; `network`, `part`: a name or the path of a file. Written down as absolute paths. */
  path?: 'file' | 'network' | 'part';
  /**
   * Outside the fingerprint. `machine`: may change between a run and its continuation. `seed`: tells repetitions apart. `identity`: the
   * fingerprint has the hash of what it names.
   */
  scope?: 'machine' | 'seed' | 'identity';
  /** What `compare` calls it; its key unless given. */
  title?: string;
  /** Of the objective: what `compare` compares unless told otherwise. */
  objective?: true;
  /** Of a method's recipe: rows with other methods may differ in it. */
  recipe?: true;
}

export type Table = Readonly<Record<string, Setting>>;

/** A row, with the types of its schema and default kept. */
export const setting = <S extends z.ZodType, const R extends Omit<Setting, 'schema'>>(
  schema: S,
  row: R,
): R & { schema: S } => ({ ...row, schema });

/** What a row's default is, for people. */
export function defaultText({ default: value, defaultText: text }: Setting): string | undefined {
  if (text !== undefined) return text;
  return value === undefined || value === false || typeof value === 'function' ? undefined : String(value);
}

/** What is written. */
export type Written<T extends Table> = { [K in keyof T]?: z.input<T[K]['schema']> | undefined };

type Always<R> = R extends { needs: unknown } | { task: string }
  ? false
  : R extends { default: unknown } | { required: true }
    ? true
    : false;

/** What is resolved: everything that has an effect. */
export type Resolved<T extends Table> = {
  [K in keyof T as Always<T[K]> extends true ? K : never]: z.output<T[K]['schema']>;
} & {
  [K in keyof T as Always<T[K]> extends true ? never : K]?: z.output<T[K]['schema']>;
};
