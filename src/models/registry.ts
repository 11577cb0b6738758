/** @file The architectures by name. Adding one: its family's file, one line here, its test. */
import { unknownName } from '../base/suggest.ts';
import { initialize, withoutDrawing } from '../nn/index.ts';
import type { ImageModel, ModelOptions } from './image-model.ts';
import { MobileNetV2 } from './mobilenet-v2.ts';
import { ResNet } from './resnet-cifar.ts';
import { ImageNetResNet } from './resnet-imagenet.ts';
import { LargeResNet } from './resnet-large.ts';
import { WideResNet } from './resnet-wide.ts';
import { ShuffleNetV1 } from './shufflenet-v1.ts';
import { ShuffleNetV2 } from './shufflenet-v2.ts';
import { VGG } from './vgg.ts';

type Maker = (options: ModelOptions) => ImageModel;

const resnet =
  (depth: number, wide = false): Maker =>
  (options) =>
    new ResNet({ ...options, depth, widths: wide ? [32, 64, 128, 256] : [16, 16, 32, 64] });
const wrn =
  (depth: number, widen: number): Maker =>
  (options) =>
    new WideResNet({ ...options, depth, widen });
const vgg =
  (depth: 8 | 11 | 13 | 16 | 19): Maker =>
  (options) =>
    new VGG({ ...options, depth });
const large =
  (depth: 18 | 50): Maker =>
  (options) =>
    new LargeResNet({ ...options, depth });
const imagenet =
  (depth: 18 | 34 | 50): Maker =>
  (options) =>
    new ImageNetResNet({ ...options, depth });

/** Capital letters tell the networks for small images (ResNet18) from those for ImageNet (resnet18). */
const registry: Record<string, Maker> = {
  resnet8: resnet(8),
  resnet14: resnet(14),
  resnet20: resnet(20),
  resnet32: resnet(32),
  resnet44: resnet(44),
  resnet56: resnet(56),
  resnet110: resnet(110),
  resnet8x4: resnet(8, true),
  resnet32x4: resnet(32, true),
  wrn_16_1: wrn(16, 1),
  wrn_16_2: wrn(16, 2),
  wrn_40_1: wrn(40, 1),
  wrn_40_2: wrn(40, 2),
  wrn_28_10: wrn(28, 10),
  vgg8: vgg(8),
  vgg11: vgg(11),
  vgg13: vgg(13),
  vgg16: vgg(16),
  vgg19: vgg(19),
  ResNet18: large(18),
  ResNet50: large(50),
  MobileNetV2: (options) => new MobileNetV2(options),
  ShuffleV1: (options) => new ShuffleNetV1(options),
  ShuffleV2: (options) => new ShuffleNetV2(options),
  resnet18: imagenet(18),
  resnet34: imagenet(34),
  resnet50: imagenet(50),
};

export const modelNames: readonly string[] = Object.keys(registry);

/** The name as the registry has it, or an error that suggests the nearest. Loads nothing. */
export function checkModelName(name: string): string {
  if (!Object.hasOwn(registry, name)) throw unknownName('model', name, modelNames);
  return name;
}

/**
 * A network by name, with weights drawn from `seed` (default 0).
 *
 * @throws UserError for an unknown name, naming the nearest, or an impossible number of classes
 * @example
 * const student = createModel('resnet20', { classes: 100, seed: 1 });
 */
export function createModel(name: string, options: ModelOptions & { seed?: number }): ImageModel {
  const make = registry[checkModelName(name)]!;
  return initialize(
    withoutDrawing(() => make(options)),
    options.seed ?? 0,
  );
}

/** A network by name whose weights are all zero: to load others into, or to look at its shapes. */
export function createEmptyModel(name: string, options: ModelOptions): ImageModel {
  const make = registry[checkModelName(name)]!;
  return withoutDrawing(() => make(options));
}
