/** @file Augmentations scored by a teacher, and shown. */
export { type AugmentSheet, type AugmentSheetOptions, augmentSheet, type SheetView } from './augment-sheet.ts';
export { type AugmentationScore, type SchemeScore, type ScoreOptions, scoreAugmentations } from './score.ts';
export type { CheckpointOptions, JudgeOptions, LeftOut } from './scorers.ts';
export { parseViews, type ViewSpec, viewName, viewTitle } from './views.ts';
