/** @file What settings choose from. Loaded when a configuration is resolved. */
export { schemeByName, schemeNames } from '../augment/index.ts';
export { resolveOptions } from '../base/options.ts';
export { datasetInfo } from '../data/index.ts';
export { ensembleKinds } from '../distill/ensemble.ts';
export { findLoss } from '../distill/losses/index.ts';
export { checkPickOptions, criteria, criterionNeeds } from '../distill/pick/index.ts';
export { checkModel } from '../networks/model-reference.ts';
export { paperMilestones } from '../nn/schedule.ts';
