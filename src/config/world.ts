/** @file What settings choose from. Loaded when a configuration is resolved. */
export { augmentations, schemeByName, schemeNames } from '../augment/index.ts';
export { resolveOptions } from '../base/options.ts';
export { datasetInfo } from '../data/index.ts';
export { datasets, isImagePath } from '../data/registry.ts';
export { ensembleKinds } from '../distill/ensemble.ts';
export { findLoss, losses } from '../distill/losses/index.ts';
export { checkPickOptions, criteria, criterionNeeds, criterionRegistry } from '../distill/pick/index.ts';
export { checkModel } from '../networks/model-reference.ts';
export { paperMilestones } from '../nn/schedule.ts';
