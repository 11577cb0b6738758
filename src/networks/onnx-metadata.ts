/** @file What an .onnx file written here says of its network, as key and value. */
import { z } from 'zod';
import { UserError } from '../base/errors.ts';
import { type OnnxInfo, readOnnxInfo } from '../formats/index.ts';

const channels = z.array(z.number()).length(3);
const normalizationSchema = z.object({
  mean: channels,
  std: channels.refine((std) => std.every((value) => value > 0)),
});

export interface OnnxMetadata {
  /** Architecture, or the name of the file that makes the network. */
  model: string;
  /** The dataset it was trained on. */
  data: string;
  classNames: readonly string[];
  imageSize: number;
  /** How the images were normalised that it was trained with. */
  normalization: { mean: readonly number[]; std: readonly number[] };
  /** Nobody said it. */
  normalizationAssumed?: boolean | undefined;
  /** Takes pixels from 0 to 255 and normalises them itself. */
  takesPixels: boolean;
  /** Per cent of the test images it gets right, as last measured. */
  top1?: number | undefined;
}

/** Is it to be run by onnxruntime? Told by the ending of its name. */
export const isOnnx = (path: string): boolean => /\.onnx$/i.test(path);

/** The name of an .onnx file's network: what the file says, or `onnx`. */
export const onnxModelName = (path: string): string => readOnnxInfo(path).metadata.get('model') ?? 'onnx';

/** As `metadata_props`. */
export function toMetadata(info: OnnxMetadata): Record<string, string> {
  return {
    model: info.model,
    data: info.data,
    class_names: JSON.stringify(info.classNames),
    image_size: String(info.imageSize),
    normalization: JSON.stringify(info.normalization),
    ...(info.normalizationAssumed ? { normalization_source: 'assumed' } : {}),
    input: info.takesPixels ? 'pixels' : 'normalized',
    ...(info.top1 === undefined ? {} : { top1: String(info.top1) }),
    // What the ONNX documentation proposes for images, for readers that know nothing of this program.
    ...(info.takesPixels
      ? {
          'Image.BitmapPixelFormat': 'Rgb8',
          'Image.ColorSpaceGamma': 'SRGB',
          'Image.NominalPixelRange': 'NominalRange_0_255',
        }
      : {}),
  };
}

/** What a file says of the images it takes; null for a file that was not written here. */
export function imageMetadata(
  { metadata, producer }: OnnxInfo,
  path: string,
): (Pick<OnnxMetadata, 'normalization' | 'normalizationAssumed' | 'takesPixels'> & { model: string }) | null {
  const [input, normalization] = [metadata.get('input'), metadata.get('normalization')];
  if (!/^thrive\b/.test(producer) || input === undefined || normalization === undefined) return null;
  const damaged = (key: string, cause?: unknown): UserError =>
    new UserError(`${path} is damaged: its metadata has no proper ${key}`, { cause });
  if (input !== 'pixels' && input !== 'normalized') throw damaged('input');
  let value: unknown;
  try {
    value = JSON.parse(normalization);
  } catch (error) {
    throw damaged('normalization', error);
  }
  const parsed = normalizationSchema.safeParse(value);
  if (!parsed.success) throw damaged('normalization', parsed.error);
  return {
    normalization: parsed.data,
    ...(metadata.get('normalization_source') === 'assumed' ? { normalizationAssumed: true } : {}),
    takesPixels: input === 'pixels',
    model: metadata.get('model') ?? 'onnx',
  };
}

/** The class names that a file written here has; null where it says none. @throws UserError for others than a list of names */
export function classNamesIn({ metadata, producer }: OnnxInfo, path: string): string[] | null {
  const text = metadata.get('class_names');
  if (text === undefined || !/^thrive\b/.test(producer)) return null;
  const parsed = z.array(z.string()).safeParse(jsonIn(text));
  if (!parsed.success) throw new UserError(`${path} is damaged: its metadata has no proper class_names`);
  return parsed.data;
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
