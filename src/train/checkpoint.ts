/**
 * @file A run's state on disk: one safetensors file with the network under its own state-dict names, the optimizer's momentum
 * under `optimizer.momentum.`, and everything else as metadata. Draws are functions of (seed, epoch, sample), so position and
 * weights are all there is to save.
 */
import { UserError } from '../base/errors.ts';
import { readSafetensors, readSafetensorsMetadata, type StoredTensors, writeSafetensors } from '../formats/index.ts';
import type { Module, SGD } from '../nn/index.ts';
import { tidy } from '../torch/index.ts';
import { fromStored, toStored } from './weights.ts';

const MOMENTUM = 'optimizer.momentum.';
const FORMAT = 'thrive-checkpoint-1';

/** What a checkpoint says about its network, so that it can be rebuilt without the run's folder. */
export interface NetworkInfo {
  model: string;
  classes: number;
  imageSize: number;
  /** Name of the data set it was trained on, and how its pictures were normalised. */
  data: string;
  normalization: { mean: readonly number[]; std: readonly number[] };
  classNames: readonly string[];
}

/** Sums over the part of an epoch that is done; JSON keeps their float64 values exactly. */
export interface EpochSums {
  samples: number;
  correct: number;
  seconds: number;
  terms: Record<string, number>;
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

export interface CheckpointInfo {
  network: NetworkInfo;
  /** Last evaluation before it was written. */
  metrics: Record<string, number>;
}

/** Save network, optimizer and position so that `loadTraining` continues to the bit. Atomic. */
export function saveTraining(
  path: string,
  network: Module,
  optimizer: SGD,
  position: Position,
  info: CheckpointInfo,
): void {
  const tensors = toStored(network.stateDict());
  for (const [name, stored] of toStored(optimizer.stateDict(), MOMENTUM)) tensors.set(name, stored);
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

function parse<T>(path: string, metadata: Record<string, string>, key: string): T {
  const text = metadata[key];
  if (text === undefined) throw new UserError(`${path} is not a checkpoint to continue from: it has no ${key}`);
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw new UserError(`${path}: its ${key} is not readable`, { cause: error });
  }
}

/** Load what `saveTraining` saved into a network and an optimizer of the same make. */
export function loadTraining(path: string, network: Module, optimizer: SGD): Position {
  const { tensors, metadata } = readSafetensors(path);
  const position = parse<Position>(path, metadata, 'position');
  const steps = Number(metadata.optimizer_steps);
  tidy(() => {
    network.loadStateDict(fromStored(networkTensors(tensors)), { from: path });
    optimizer.loadStateDict(fromStored(tensors, MOMENTUM), steps);
  });
  return position;
}

/** Only the network's own tensors of a checkpoint's. */
export function networkTensors(tensors: StoredTensors): StoredTensors {
  return new Map([...tensors].filter(([name]) => !name.startsWith('optimizer.')));
}

/** What a file of ours says about its network; null for any other safetensors file. */
export function checkpointNetwork(path: string): NetworkInfo | null {
  return networkOf(path, readSafetensorsMetadata(path));
}

export function networkOf(path: string, metadata: Record<string, string>): NetworkInfo | null {
  return metadata.format === FORMAT ? parse<NetworkInfo>(path, metadata, 'network') : null;
}
