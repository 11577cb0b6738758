/** @file A checkpoint's network as an .onnx file. */
import { writeFileAtomic } from '../base/files.ts';
import { packageVersion } from '../base/version.ts';
import { normalizationOf } from '../data/index.ts';
import { exportOnnx, opset } from '../onnx/index.ts';
import { openDataset } from '../parts/index.ts';
import type { Exporter } from './exporter.ts';
import { modelLabel } from './model-reference.ts';
import { type OnnxMetadata, toMetadata } from './onnx-metadata.ts';

/** The last measurement a checkpoint of ours tells of. */
function top1Of({ metrics }: Record<string, unknown>): number | undefined {
  if (typeof metrics !== 'string') return undefined;
  try {
    const { top1 } = JSON.parse(metrics) as { top1?: unknown };
    return typeof top1 === 'number' ? top1 : undefined;
  } catch {
    return undefined;
  }
}

/** Writes the network for any batch size, batch norm folded into its convolutions. */
export const writeOnnx: Exporter = async (source, out, options) => {
  const { network, model, info, notes } = await source.load();
  try {
    const set = options.data ? await openDataset(options.data) : null;
    const facts: OnnxMetadata = {
      model: modelLabel(model),
      data: set?.name ?? info!.data,
      classNames: set?.classNames ?? info!.classNames,
      imageSize: set?.size ?? info!.imageSize,
      // How it was trained goes before what it is used on.
      normalization: info?.normalization ?? normalizationOf(set!),
      normalizationAssumed: info?.normalizationAssumed ?? info === null,
      takesPixels: options.normalize === true,
      top1: top1Of(source.extra),
    };
    const bytes = exportOnnx(network, {
      imageSize: facts.imageSize,
      normalize: facts.takesPixels ? facts.normalization : undefined,
      metadata: toMetadata(facts),
      producer: { name: 'thrive', version: packageVersion() },
    });
    writeFileAtomic(out, bytes);
    const { imageSize: size, takesPixels } = facts;
    const shape = `[batch, 3, ${size}, ${size}]`;
    return {
      opset,
      takes: `${takesPixels ? 'pixels' : 'images'}: float32 ${shape}, ${takesPixels ? 'RGB from 0 to 255' : `normalised as ${facts.data}`}`,
      gives: `logits: float32 [batch, ${network.classes}]`,
      notes,
    };
  } finally {
    network.dispose();
  }
};
