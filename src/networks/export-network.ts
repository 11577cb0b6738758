/** @file A checkpoint's network as a file for other programs. One writer a format; a new format is one line of `exporters`. */
import { statSync } from 'node:fs';
import { extname } from 'node:path';
import { UserError } from '../base/errors.ts';
import { named as spoken, toGive } from '../base/speech.ts';
import { unknownName } from '../base/suggest.ts';
import { readTensors, writePth, writeSafetensors } from '../formats/index.ts';
import { openDataset } from '../parts/index.ts';
import { networkOf, networkTensors } from '../train/checkpoint.ts';
import { writeOnnx } from './export-onnx.ts';
import type { Exporter, ExportOptions, ExportSource } from './exporter.ts';
import { findIn, loadNetwork } from './load-network.ts';
import { checkModel } from './model-reference.ts';
import { knownNetworks } from './recognize.ts';

interface Format {
  /** Endings of file names that mean this format. */
  extensions: readonly string[];
  write: Exporter;
}

export const exporters: Readonly<Record<string, Format>> = {
  safetensors: {
    extensions: ['.safetensors'],
    async write({ tensors, extra }, out) {
      // What a checkpoint of ours says of its network goes along, so that the file is one too.
      const kept = ['format', 'network', 'metrics', 'epoch'].filter((key) => typeof extra[key] === 'string');
      writeSafetensors(out, tensors, Object.fromEntries(kept.map((key) => [key, extra[key] as string])));
      return {};
    },
  },
  pth: {
    extensions: ['.pth', '.pt'],
    async write({ tensors }, out, { key }) {
      if (key === undefined) writePth(out, tensors);
      else writePth(out, tensors, {}, key);
      return {};
    },
  },
  onnx: { extensions: ['.onnx'], write: writeOnnx },
};

export const exportFormats: readonly string[] = Object.keys(exporters);

export interface Exported {
  checkpoint: string;
  format: string;
  file: string;
  bytes: number;
  tensors: number;
  /** What the person should know. */
  notes?: string[];
  [fact: string]: unknown;
}

/** The format of a file to be written (asked for, or by its ending) and the file. */
function targetOf(checkpoint: string, { format, out }: ExportOptions): { format: string; out: string } {
  if (format !== undefined) {
    if (!Object.hasOwn(exporters, format)) throw unknownName('format', format, exportFormats);
    const file =
      out ?? checkpoint.slice(0, -extname(checkpoint).length || undefined) + exporters[format]!.extensions[0]!;
    if (out === undefined && file === checkpoint) {
      throw new UserError(`${checkpoint} would be written over`, {
        hint: `name the file to write with ${toGive('out')}`,
      });
    }
    return { format, out: file };
  }
  if (out === undefined) {
    throw new UserError('nothing says which file to write', {
      hint: `give ${toGive('out', 'FILE')}, or ${toGive('format')}: ${exportFormats.join(', ')}`,
    });
  }
  const ending = extname(out).toLowerCase();
  const found = exportFormats.find((name) => exporters[name]!.extensions.includes(ending));
  if (!found) {
    throw new UserError(`the name ${out} does not say which format to write`, {
      hint: `give ${toGive('format')}: ${exportFormats.join(', ')}`,
    });
  }
  return { format: found, out };
}

/**
 * Write a checkpoint's network as safetensors, as a .pth that PyTorch loads (`torch.load(file, weights_only=True)` is the
 * state dict), as an ONNX model, or in any other format of `exporters`.
 *
 * @example
 * await exportCheckpoint('runs/student/last.safetensors', { out: 'student.pth' });
 * @throws UserError for an unknown format, or a file that is not weights
 */
export async function exportCheckpoint(path: string, options: ExportOptions): Promise<Exported> {
  const { format, out } = targetOf(path, options);
  if (options.normalize && format !== 'onnx') {
    throw new UserError(`${spoken('normalize')} is for an .onnx file; ${format} holds weights alone`);
  }
  if (options.key !== undefined && format !== 'pth') {
    throw new UserError(`${spoken('key')} is for a .pth file; ${format} has no place for it`);
  }
  // Not every format needs them; a name that is wrong is wrong for all.
  if (options.model) checkModel(options.model);
  const named = options.data ? await openDataset(options.data) : null;
  const read = await readTensors(path);
  const info = read.format === 'safetensors' ? networkOf(path, read.extra as Record<string, string>) : null;
  const found = info ? null : findIn(path, read, knownNetworks(), { keyFlag: 'thrive import --key' });
  const source: ExportSource = {
    path,
    tensors: found?.tensors ?? networkTensors(info ? read.tensors : read.usual().tensors),
    info,
    extra: read.extra,
    load() {
      const data = named ?? (info && { classes: info.classes, size: info.imageSize });
      if (!data) {
        throw new UserError(`${path} does not say how many classes and which size of image its network is for`, {
          hint: `name the dataset with ${toGive('data')}, or bring the file in with thrive import first`,
        });
      }
      return loadNetwork(path, {
        ...(options.model ? { model: options.model } : {}),
        classes: data.classes,
        imageSize: data.size,
        modelSetting: 'model',
      });
    },
  };
  const facts = await exporters[format]!.write(source, out, options);
  return {
    checkpoint: path,
    format,
    file: out,
    bytes: statSync(out).size,
    tensors: source.tensors.size,
    ...facts,
  };
}
