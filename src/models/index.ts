/** @file Networks for images, by name and by class, with their feature taps, sizes and multiply-adds. */
export { type FeatureOptions, type Features, ImageModel, type ModelOptions } from './image-model.ts';
export { MobileNetV2, type MobileNetV2Options } from './mobilenet-v2.ts';
export { type ModelRow, modelRow, modelTable } from './model-table.ts';
export { checkModelName, createEmptyModel, createModel, modelNames } from './registry.ts';
export { ResNet, type ResNetOptions } from './resnet-cifar.ts';
export { ImageNetResNet, type ImageNetResNetOptions } from './resnet-imagenet.ts';
export { LargeResNet, type LargeResNetOptions } from './resnet-large.ts';
export { WideResNet, type WideResNetOptions } from './resnet-wide.ts';
export { ShuffleNetV1, type ShuffleNetV1Options } from './shufflenet-v1.ts';
export { ShuffleNetV2, type ShuffleNetV2Options } from './shufflenet-v2.ts';
export { type LayerSummary, type Summary, type SummaryOptions, summary } from './summary.ts';
export { TappedModel, type TappedOptions } from './tapped-model.ts';
export { tapModel } from './taps.ts';
export { VGG, type VGGOptions } from './vgg.ts';
