/** @file What a setting may name as a network: an architecture here, or a file of the user's. Loads no engine. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { codeHash } from '../base/code-hash.ts';
import { UserError } from '../base/errors.ts';
import { nearest } from '../base/suggest.ts';
import { checkModelName, modelNames } from '../models/index.ts';
import type { NetworkInfo } from '../train/checkpoint.ts';

/** A path rather than a name: it has a slash, or ends like JavaScript or TypeScript. */
export const isModelFile = (reference: string): boolean => /[\\/]/.test(reference) || /\.[cm]?[jt]s$/i.test(reference);

/** A network's name for people and records: an architecture's own, a file's without its folders. */
export const modelLabel = (reference: string): string => (isModelFile(reference) ? basename(reference) : reference);

/**
 * Refuse a network that is neither an architecture here nor a file that is there.
 *
 * @throws UserError naming the nearest architecture or file
 */
export function checkModel(reference: string): void {
  if (!isModelFile(reference)) {
    checkModelName(reference);
    return;
  }
  const there = existsSync(reference) ? statSync(reference) : undefined;
  if (there?.isDirectory()) {
    throw new UserError(`${reference} is a folder, not a file that exports a network`, {
      hint: 'give the path of the file in it',
    });
  }
  const weights = /\.(pth|pt|safetensors|onnx)$/i.exec(reference);
  if (there && weights) {
    throw new UserError(`${reference} holds weights; a network is made by a name or by a file of code`, {
      hint: `thrive models lists the names${weights[1]!.toLowerCase() === 'onnx' ? '' : '; thrive import tells whose weights these are'}`,
    });
  }
  if (there) return;
  const bare = basename(reference).replace(/\.[cm]?[jt]s$/i, '');
  const architecture = nearest(bare, modelNames);
  const folder = dirname(reference);
  const listed = existsSync(folder) && statSync(folder).isDirectory();
  const near = listed ? nearest(basename(reference), readdirSync(folder)) : undefined;
  throw new UserError(
    `there is no file ${reference} to make a network from${near ? `; did you mean '${join(folder, near)}'?` : ''}`,
    {
      hint: architecture
        ? `an architecture here is named without a path: ${architecture}`
        : 'give the path of a file that exports a network, or the name of an architecture',
    },
  );
}

/** What tells the file of a network from any other: it goes into checkpoints and fingerprints. */
export interface ModelFile {
  /** Absolute, on the machine where it was used. */
  path: string;
  /** Of the file and of what it imports by relative paths (`codeHash`). */
  sha256: string;
}

/** The file of a reference to one; null for the name of an architecture. */
export function modelFile(reference: string): ModelFile | null {
  if (!isModelFile(reference)) return null;
  checkModel(reference);
  const path = resolve(reference);
  return { path, sha256: codeHash(path) };
}

/**
 * Where the network of a checkpoint is made now: its architecture's name, or the path of its file. A file is looked for where
 * it was, in the working folder and beside the checkpoint; one whose content is as it was goes before one that changed.
 *
 * @throws UserError if it is nowhere, listing where it was looked for
 */
export function findModel(info: NetworkInfo, checkpoint: string): { reference: string; changed: boolean } {
  const { model, modelFile: file } = info;
  if (!file) return { reference: model, changed: false };
  const places = [...new Set([file.path, resolve(model), resolve(dirname(checkpoint), model)])];
  const there = places.filter((path) => existsSync(path));
  const same = there.find((path) => codeHash(path) === file.sha256);
  const reference = same ?? there[0];
  if (!reference) {
    throw new UserError(`${checkpoint} is of a network made by ${model}, which is not there any more`, {
      hint: `looked for ${places.join(', ')}; put the file back at one of these`,
    });
  }
  return { reference, changed: !same };
}
