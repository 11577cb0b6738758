/** @file Augmentation: each scheme is a draw (plain data from a random stream) and an apply (a pure function). */
export { type Normalization, normalizeImages, renormalizer } from './normalize.ts';
export { parametersFromJson, parametersToJson } from './parameters.ts';
export {
  type BatchView,
  type DrawContext,
  type Mix,
  type Parameters,
  type Scheme,
  type SchemeSettings,
  schemeSettings,
} from './scheme.ts';
export {
  mixOf,
  type PaperAugmentation,
  paperAugmentations,
  schemeByName,
  schemeNames,
  schemes,
} from './schemes.ts';
export {
  type CropFlip,
  drawCropFlip,
  gatherCropFlip,
  noCropFlip,
  type StandardOptions,
  standardOptions,
} from './standard.ts';
