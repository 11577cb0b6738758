/** @file What makes two runs comparable or not, in one short word and in full. */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { UserError } from '../base/errors.ts';
import { fileHash } from '../base/file-hash.ts';
import { toGive } from '../base/speech.ts';
import { listingHash } from '../data/image-dataset.ts';
import { imagesAt, isImagePath } from '../data/registry.ts';
import { findModel, modelFile, modelLabel } from '../networks/model-reference.ts';
import { isOnnx, onnxModelName } from '../networks/onnx-metadata.ts';
import { checkpointNetwork } from '../train/checkpoint.ts';
import { networkOf, type TeacherSettings, teachersOf } from './derive.ts';
import { modernize } from './legacy.ts';
import { partIdentities } from './own-parts.ts';
import type { Table } from './row.ts';
import { type Config, settings } from './settings.ts';
import { isDict } from './values.ts';

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
export function teacherIdentity(config: Config): TeacherIdentities {
  const all = teachersOf(config);
  if (all.length > 1) return all.map((one) => ({ ...identify(one), weight: one.weight }));
  return all[0] ? identify(all[0]) : null;
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
export function fingerprint(config: Config, teacher: TeacherIdentities, table: Table = settings): Fingerprint {
  const own = Object.entries(config).filter(([key]) => table[key]?.scope === undefined);
  return printOf({
    ...Object.fromEntries(own),
    ...dataIdentity(config.data),
    ...partIdentities({ ...config }),
    ...networkIdentity(networkOf(config)),
    init: startIdentity(config),
    protocol:
      config.holdout > 0 ? 'last epoch on the test set; best chosen on a dev split' : 'last epoch on the test set',
    ...(teacher ? { teacher } : {}),
  });
}

function printOf(fields: Record<string, unknown>): Fingerprint {
  const ordered = canonical(fields) as Record<string, unknown>;
  const id = createHash('sha256').update(JSON.stringify(ordered)).digest('hex').slice(0, 12);
  return { id, fields: ordered };
}

/** A recorded fingerprint in today's words: what meant the same before is equal now. */
export function recordedPrint({ id, fields }: Fingerprint): Fingerprint {
  const now = isDict(fields) ? modernize(fields, 'fields') : fields;
  return now === fields ? { id, fields } : printOf(now);
}

/**
 * Refuse to continue a run whose files are not as they were.
 *
 * @throws UserError naming the file: the network's, the teacher's, the weights it started from
 */
export function checkSameRun(run: string, saved: Fingerprint, now: Fingerprint): void {
  if (saved.id === now.id) return;
  const differs = (key: string): boolean => JSON.stringify(saved.fields[key]) !== JSON.stringify(now.fields[key]);
  const files = {
    modelSha256: 'network',
    teacher: 'teacher',
    init: toGive('init'),
    parts: 'loss, augmentation, criterion or dataset',
  };
  const changed = Object.entries(files).flatMap(([key, name]) => (differs(key) ? [name] : []));
  throw new UserError(
    changed.length > 0
      ? `${run} was started with another ${changed.join(' and another ')} file than now`
      : `${run} was started with other settings than now, or by another version`,
    { hint: changed.length > 0 ? 'put the file back as it was, or start a new run' : 'start a new run' },
  );
}
