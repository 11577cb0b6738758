/** @file Augmentation: each scheme is a draw (plain data from a random stream) and an apply (a pure function). */
export { type Normalization, normalizeImages, renormalizer } from './normalize.ts';
export { type CropFlip, drawCropFlip, gatherCropFlip, noCropFlip, type StandardOptions } from './standard.ts';
