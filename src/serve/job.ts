/** @file What a page may ask to be done, checked; runs are named by their ids, files never. */

import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { UserError } from '../base/errors.ts';
import { modernize } from '../config/legacy.ts';
import { insideAny, openInside, readObject } from './contain.ts';
import type { KnownRun, RunIndex } from './run-index.ts';

const id = z.string().regex(/^[0-9a-f]{12}$/);
const seed = z
  .int()
  .min(0)
  .max(2 ** 31);
/** A run's own network, or the teacher that it had. */
const network = z.object({ run: id, whose: z.enum(['own', 'teacher']).default('own') });

const shared = {
  data: z
    .string()
    .min(1)
    .max(100)
    .regex(/^[\w.-]+$/, 'a dataset is named, not a file'),
  augment: z.string().min(1).max(1000),
  draw: z.enum(['sample', 'batch']),
  seed,
};

const asked = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('sheet'),
    ...shared,
    count: z.int().min(1).max(16),
    teacher: network.optional(),
    student: network.optional(),
  }),
  z.strictObject({
    kind: z.literal('stddev'),
    ...shared,
    epochs: z.int().min(1).max(1000),
    batchSize: z.int().min(2).max(1024),
    limitTrain: z.int().min(1).max(1e6).optional(),
    teacher: network,
    student: network.optional(),
  }),
]);

interface CheckpointFile {
  checkpoint: string;
  model?: string;
}

type Asked = z.output<typeof asked>;
type Files<T> = T extends Asked
  ? Omit<T, 'teacher' | 'student'> & { teacher?: CheckpointFile; student?: CheckpointFile }
  : never;

/** A job as its process gets it. */
export type Job = Files<Asked>;

type Dict = Record<string, unknown>;
const dict = (value: unknown): Dict => (typeof value === 'object' && value !== null ? (value as Dict) : {});

/** An architecture by its name: a file that exports one would be code, and a run folder's is not ours to run. */
const architecture = (value: unknown): { model?: string } =>
  typeof value === 'string' && /^[\w-]+$/.test(value) ? { model: value } : {};

function ownCheckpoint(run: KnownRun): CheckpointFile {
  for (const name of ['last.safetensors', 'best.safetensors', 'best-on-test.safetensors']) {
    const opened = openInside(run.folder, name);
    if (!opened) continue;
    closeSync(opened.fd);
    return { checkpoint: join(run.folder, name) };
  }
  throw new UserError(`${run.name} holds no weights`, { hint: 'choose a run that has last.safetensors' });
}

function teachersCheckpoint(run: KnownRun, index: RunIndex): CheckpointFile {
  const config = modernize(dict(readObject(run.folder, 'config.json')?.config));
  const first: unknown = Array.isArray(config.teacher) ? config.teacher[0] : config.teacher;
  const path = typeof first === 'string' ? first : (dict(first).checkpoint ?? dict(first).path);
  if (typeof path !== 'string') throw new UserError(`${run.name} had no teacher`);
  const model = config.teacherModel;
  return { checkpoint: insideAny(path, index.roots), ...architecture(model) };
}

/** @throws UserError for anything that is not a job, and for files outside the given folders */
export function parseJob(value: unknown, index: RunIndex): Job {
  const parsed = asked.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new UserError(`not a job: ${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'unknown'}`);
  }
  const find = (who: z.output<typeof network> | undefined): CheckpointFile | undefined => {
    if (!who) return undefined;
    const run = index.get(who.run);
    if (!run) throw new UserError('there is no such run');
    return who.whose === 'own' ? ownCheckpoint(run) : teachersCheckpoint(run, index);
  };
  const { teacher, student, ...rest } = parsed.data;
  const [byTeacher, byStudent] = [find(teacher), find(student)];
  return {
    ...rest,
    ...(byTeacher ? { teacher: byTeacher } : {}),
    ...(byStudent ? { student: byStudent } : {}),
  } as Job;
}
