/** @file Augmentation: each scheme is a draw (plain data from a random stream) and an apply (a pure function). */
export { type Normalization, normalizeImages, renormalizer } from './normalize.ts';
export { parametersFromJson, parametersToJson } from './parameters.ts';
export {
  type AugmentationDefinition,
  type BatchView,
  type DrawContext,
  defineAugmentation,
  drawEach,
  type Mix,
  type Parameters,
  partnerStream,
  type Scheme,
  type SchemeSettings,
  schemeSettings,
} from './scheme.ts';
export {
  augmentations,
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
