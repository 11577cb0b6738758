/**
 * @file A run's state on disk: one safetensors file with the network under its own state-dict names, the losses' own modules under
 * `method.`, what the optimizer remembers under `optimizer.`, and everything else as metadata. Draws are functions of (seed, epoch,
 * sample), so position and weights are all there is to save.
 */
import { z } from 'zod';
import { UserError } from '../base/errors.ts';
import { readFileBytes } from '../base/file-bytes.ts';
import { readSafetensors, readSafetensorsMetadata, type StoredTensors, writeSafetensors } from '../formats/index.ts';
import type { Module, Optimizer } from '../nn/index.ts';
import { tidy } from '../torch/index.ts';
import { fromStored, toStored } from './weights.ts';

const OPTIMIZER = 'optimizer.';
/** Before the names of what trains beside the network: a distillation loss's own modules. */
export const METHOD = 'method.';
const FORMAT = 'thrive-checkpoint-1';

const whole = z.int().nonnegative();
// JSON has no NaN: what was NaN comes back as null.
const real = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);
const channels = z.array(z.number()).min(1);

/** What a checkpoint says about its network, so that it can be rebuilt without the run's folder. */
export interface NetworkInfo {
  /** An architecture's name, or the name of the file that makes the network. */
  model: string;
  /** That file, where it was and what it held. */
  modelFile?: { path: string; sha256: string } | undefined;
  classes: number;
  imageSize: number;
  /** Name of the dataset it was trained on, and how its images were normalised. */
  data: string;
  normalization: { mean: readonly number[]; std: readonly number[] };
  /** Nobody said how they were normalised: it was taken to be as the dataset's are. */
  normalizationAssumed?: boolean | undefined;
  classNames: readonly string[];
}

const networkSchema = z.object({
  model: z.string(),
  modelFile: z.object({ path: z.string(), sha256: z.string() }).optional(),
  classes: whole,
  imageSize: whole,
  data: z.string(),
  normalization: z.object({ mean: channels, std: channels }),
  normalizationAssumed: z.boolean().optional(),
  classNames: z.array(z.string()),
});

/** Sums over the part of an epoch that is done; JSON keeps their float64 values exactly. */
export interface EpochSums {
  samples: number;
  correct: number;
  seconds: number;
  terms: Record<string, number>;
  measures: Record<string, number>;
}

/** Where a run stands: `epoch` epochs are complete and `step` steps of the next one. */
export interface Position {
  epoch: number;
  step: number;
  sums: EpochSums;
  /** The best score so far by the set that chooses it, and its epoch (counted from 1). */
  best: { epoch: number; top1: number } | null;
  /** Seconds of training before this position, over all sessions. */
  seconds: number;
}

const positionSchema = z.object({
  epoch: whole,
  step: whole,
  sums: z.object({
    samples: whole,
    correct: whole,
    seconds: z.number(),
    terms: z.record(z.string(), real),
    measures: z.record(z.string(), real),
  }),
  best: z.object({ epoch: whole, top1: real }).nullable(),
  seconds: z.number(),
});

export interface CheckpointInfo {
  network: NetworkInfo;
  /** Last evaluation before it was written. */
  metrics: Record<string, number>;
}

/** Save network, optimizer and position so that `loadTraining` continues to the bit. Atomic. */
export function saveTraining(
  path: string,
  network: Module,
  optimizer: Optimizer,
  position: Position,
  info: CheckpointInfo,
  modules?: Module,
): void {
  const tensors = toStored(network.stateDict());
  if (modules) for (const [name, stored] of toStored(modules.stateDict(), METHOD)) tensors.set(name, stored);
  for (const [name, stored] of toStored(optimizer.stateDict(), OPTIMIZER)) tensors.set(name, stored);
  writeSafetensors(path, tensors, {
    format: FORMAT,
    network: JSON.stringify(info.network),
    metrics: JSON.stringify(info.metrics),
    position: JSON.stringify(position),
    optimizer_steps: String(optimizer.steps),
  });
}

/** Save a network alone, for use and for `eval`. Atomic. */
export function saveNetwork(path: string, network: Module, info: CheckpointInfo & { epoch: number }): void {
  writeSafetensors(path, toStored(network.stateDict()), {
    format: FORMAT,
    network: JSON.stringify(info.network),
    metrics: JSON.stringify(info.metrics),
    epoch: String(info.epoch),
  });
}

/** One of the metadata's JSON values, which may hold anything: the file could come from anywhere. */
function parse<T>(path: string, metadata: Record<string, string>, key: string, schema: z.ZodType<T>): T {
  const text = metadata[key];
  if (text === undefined) throw new UserError(`${path} is not a checkpoint to continue from: it has no ${key}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UserError(`${path} is damaged: its ${key} is not valid JSON`, { cause: error });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { path: where, message } = parsed.error.issues[0]!;
  throw new UserError(`${path} is damaged: ${[key, ...where].join('.')}: ${message}`, { cause: parsed.error });
}

/**
 * Load what `saveTraining` saved into a network and an optimizer of the same make.
 *
 * @throws UserError naming the file and what is missing, of another shape or damaged
 */
export function loadTraining(path: string, network: Module, optimizer: Optimizer, modules?: Module): Position {
  const { tensors, metadata } = readSafetensors(path);
  const position = parse(path, metadata, 'position', positionSchema);
  const steps = parse(path, metadata, 'optimizer_steps', whole);
  tidy(() => {
    network.loadStateDict(fromStored(networkTensors(tensors)), { from: path });
    modules?.loadStateDict(fromStored(tensors, METHOD), { from: path });
    try {
      optimizer.loadStateDict(fromStored(tensors, OPTIMIZER), steps);
    } catch (error) {
      throw error instanceof UserError ? new UserError(`${path}: ${error.message}`, { cause: error }) : error;
    }
  });
  return position;
}

/** Only the network's own tensors of a checkpoint's. */
export function networkTensors(tensors: StoredTensors): StoredTensors {
  return new Map([...tensors].filter(([name]) => !name.startsWith(OPTIMIZER) && !name.startsWith(METHOD)));
}

/** What a file of ours says about its network; null for any other file. Reads no weights. */
export function checkpointNetwork(path: string): NetworkInfo | null {
  // A safetensors file is eight bytes of length and then a JSON object.
  const { data } = readFileBytes(path, 9);
  return data[8] === 0x7b ? networkOf(path, readSafetensorsMetadata(path)) : null;
}

/** The same from the metadata of a file that was read already. */
export function networkOf(path: string, metadata: Record<string, string>): NetworkInfo | null {
  return metadata.format === FORMAT ? parse(path, metadata, 'network', networkSchema) : null;
}
