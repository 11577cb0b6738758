/** @file What makes two runs comparable or not, in one short word and in full. */
import { createHash } from 'node:crypto';
import { readFileBytes } from '../formats/file-bytes.ts';
import { checkpointNetwork } from '../train/checkpoint.ts';
import type { Config } from './config.ts';

export interface Fingerprint {
  /** First 12 hexadecimal digits of the fields' SHA-256. */
  id: string;
  /** Everything that changes what a run's numbers mean, but not the seed, machine or folders. */
  fields: Record<string, unknown>;
}

/** SHA-256 of a file, in hexadecimal. */
export function fileHash(path: string): string {
  return createHash('sha256').update(readFileBytes(path).data).digest('hex');
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => [key, canonical(item)]));
}

/** What tells a teacher from any other: its weights, and the network they are put into. */
export interface TeacherIdentity {
  model: string | null;
  sha256: string;
}

/** Who the teacher of a configuration is. Reads its file. */
export function teacherIdentity(config: Config): TeacherIdentity | null {
  if (!config.teacher) return null;
  const { checkpoint, model = checkpointNetwork(checkpoint)?.model ?? null } = config.teacher;
  return { model, sha256: fileHash(checkpoint) };
}

/** The same for runs whose numbers may be compared as repetitions of one experiment. */
export function fingerprint(config: Config, teacher: TeacherIdentity | null): Fingerprint {
  // How often a run is measured changes nothing about its last epoch.
  const {
    dataDir: _dir,
    seed: _seed,
    device: _device,
    threads: _threads,
    teacher: _teacher,
    kd,
    evaluateEvery: _every,
    ...rest
  } = config;
  const fields = {
    ...rest,
    protocol:
      config.holdout > 0 ? 'last epoch on the test set; best chosen on a dev split' : 'last epoch on the test set',
    teacher,
    kd: config.task === 'distill' ? kd : null,
  };
  const ordered = canonical(fields) as Record<string, unknown>;
  const id = createHash('sha256').update(JSON.stringify(ordered)).digest('hex').slice(0, 12);
  return { id, fields: ordered };
}
