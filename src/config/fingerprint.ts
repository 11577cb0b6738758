/** @file What makes two runs comparable or not, in one short word and in full. */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { UserError } from '../base/errors.ts';
import { fileHash } from '../base/file-hash.ts';
import { listingHash } from '../data/image-dataset.ts';
import { imagesAt, isImagePath } from '../data/registry.ts';
import { findModel, modelFile, modelLabel } from '../networks/model-reference.ts';
import { isOnnx, onnxModelName } from '../networks/onnx-metadata.ts';
import { checkpointNetwork } from '../train/checkpoint.ts';
import type { Config, TeacherSettings } from './config.ts';

export { fileHash };

export interface Fingerprint {
  /** First 12 hexadecimal digits of the fields' SHA-256. */
  id: string;
  /** Everything that changes what a run's numbers mean, but not the seed, machine or folders. */
  fields: Record<string, unknown>;
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
  /** Of the file that makes the network, where one does. */
  modelSha256?: string | undefined;
  sha256: string;
  /** How its images are normalised, where the configuration says it. */
  normalization?: TeacherSettings['normalization'];
}

/** Who teaches: one, or several with their shares. */
export type TeacherIdentities = TeacherIdentity | (TeacherIdentity & { weight: number })[] | null;

/** Who the teacher of a configuration is, or the teachers. Reads their files. */
export function teacherIdentity({ teacher, teachers }: Pick<Config, 'teacher' | 'teachers'>): TeacherIdentities {
  if (teachers) return teachers.map((one) => ({ ...identify(one), weight: one.weight ?? 1 }));
  return teacher ? identify(teacher) : null;
}

function identify({ checkpoint, model: named, normalization }: TeacherSettings): TeacherIdentity {
  const read = normalization === undefined ? {} : { normalization };
  if (isOnnx(checkpoint)) return { model: onnxModelName(checkpoint), sha256: fileHash(checkpoint), ...read };
  const info = checkpointNetwork(checkpoint);
  const model = named ?? (info && findModel(info, checkpoint).reference);
  const sha256 = fileHash(checkpoint);
  return model === null ? { model, sha256, ...read } : { ...networkIdentity(model), sha256, ...read };
}

/** A network's name, and the hash of the file that makes it: where that lies makes no difference. */
function networkIdentity(reference: string): { model: string; modelSha256?: string | undefined } {
  return { model: modelLabel(reference), modelSha256: modelFile(reference)?.sha256 };
}

/** A folder of images by its name and what is listed there: where it lies makes no difference. */
function dataIdentity(data: string): { data?: string; dataSha256?: string } {
  return isImagePath(data) ? { data: basename(data), dataSha256: listingHash(imagesAt(data).listing) } : {};
}

/** What the weights are when training starts, where they are not drawn. */
function startIdentity({ init, resetHead }: Config): { sha256: string; resetHead: boolean } | undefined {
  return init === undefined ? undefined : { sha256: fileHash(init), resetHead: resetHead === true };
}

/** The same for runs whose numbers may be compared as repetitions of one experiment. */
export function fingerprint(config: Config, teacher: TeacherIdentities): Fingerprint {
  // How often something is measured changes nothing about what is trained.
  const {
    dataDir: _dir,
    seed: _seed,
    device: _device,
    threads: _threads,
    teacher: _teacher,
    teachers: _teachers,
    gradientEvery: _gradientEvery,
    init: _init,
    resetHead: _resetHead,
    model,
    kd,
    evaluateEvery: _every,
    ...rest
  } = config;
  const fields = {
    ...rest,
    ...dataIdentity(config.data),
    ...networkIdentity(model),
    init: startIdentity(config),
    protocol:
      config.holdout > 0 ? 'last epoch on the test set; best chosen on a dev split' : 'last epoch on the test set',
    teacher,
    kd: config.task === 'distill' ? kd : null,
  };
  const ordered = canonical(fields) as Record<string, unknown>;
  const id = createHash('sha256').update(JSON.stringify(ordered)).digest('hex').slice(0, 12);
  return { id, fields: ordered };
}

/**
 * Refuse to continue a run whose files are not as they were.
 *
 * @throws UserError naming the file: the network's, the teacher's, the weights it started from
 */
export function checkSameRun(run: string, saved: Fingerprint, now: Fingerprint): void {
  if (saved.id === now.id) return;
  const differs = (key: string): boolean => JSON.stringify(saved.fields[key]) !== JSON.stringify(now.fields[key]);
  const files = { modelSha256: 'network', teacher: 'teacher', init: '--init' };
  const changed = Object.entries(files).flatMap(([key, name]) => (differs(key) ? [name] : []));
  throw new UserError(
    changed.length > 0
      ? `${run} was started with another ${changed.join(' and another ')} file than now`
      : `${run} was started with other settings than now, or by another version`,
    { hint: changed.length > 0 ? 'put the file back as it was, or start a new run' : 'start a new run' },
  );
}
