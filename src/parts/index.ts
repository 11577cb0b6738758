/** @file A user's own parts, from files: losses, augmentations, criteria, datasets. */
export { addPart, datasetReference, loadPart, openDataset, type Parts } from './load-parts.ts';
