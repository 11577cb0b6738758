/**
 * @file Mixing and cutting of normalised images, float32 [B, C, H, W] in either layout, with parameters for each sample. One
 * fused pass on the CPU; plain operators, with equal results, on other devices. New tensors, no gradients.
 */
import { UserError } from '../base/errors.ts';
import { toGive } from '../base/speech.ts';
import { arange, noGrad, ops, Tensor, tensor, tidy } from '../torch/index.ts';
import { native } from '../torch/native.ts';
import { type DrawContext, partnerStream } from './scheme.ts';

const fused = (images: Tensor): boolean => images.device === 'cpu' && images.dtype === 'float32';
const run = (images: Tensor, kernel: () => number, plain: () => Tensor): Tensor =>
  noGrad(() => (fused(images) ? Tensor.wrap(kernel()) : plain()));

/** lambda x + (1 - lambda) x[partner]. */
export function blendImages(images: Tensor, partner: Int32Array, lambda: Float64Array): Tensor {
  return run(
    images,
    () => native().blendImages(images.handle, partner, lambda),
    () => blendImagesPlain(images, partner, lambda),
  );
}

/** x with a box of each replaced by its partner's pixels, or by 0 where there are no partners. */
export function pasteBoxes(images: Tensor, boxes: Int32Array, partner: Int32Array | null): Tensor {
  return run(
    images,
    () => native().pasteBoxes(images.handle, boxes, partner),
    () => pasteBoxesPlain(images, boxes, partner),
  );
}

/** x with the patches (squares of `side` pixels, row by row) whose mask is 1 replaced by its partner's. */
export function pastePatches(images: Tensor, partner: Int32Array, mask: Uint8Array, side: number): Tensor {
  return run(
    images,
    () => native().pastePatches(images.handle, partner, mask, side),
    () => pastePatchesPlain(images, partner, mask, side),
  );
}

/** `images` at the places of `partner`, in the same layout. */
function partnersOf(images: Tensor, partner: Int32Array): Tensor {
  const taken = images.indexSelect(0, tensor(partner, { dtype: 'int64', device: images.device }));
  return inLayoutOf(images, taken);
}

function inLayoutOf(like: Tensor, made: Tensor): Tensor {
  const channelsLast = !like.isContiguous() && like.isContiguous('channelsLast');
  return made.contiguous(channelsLast ? 'channelsLast' : 'contiguous');
}

/** `blendImages` in operators that every device has. */
export function blendImagesPlain(images: Tensor, partner: Int32Array, lambda: Float64Array): Tensor {
  return tidy(() => {
    const weights = (values: Float64Array): Tensor =>
      tensor(values, { shape: [lambda.length, 1, 1, 1], dtype: images.dtype, device: images.device });
    const own = images.mul(weights(lambda));
    return own.add(partnersOf(images, partner).mul(weights(lambda.map((value) => 1 - value))));
  });
}

/** `pasteBoxes` in operators that every device has. */
export function pasteBoxesPlain(images: Tensor, boxes: Int32Array, partner: Int32Array | null): Tensor {
  return tidy(() => {
    const { device } = images;
    const edges = tensor(boxes, { shape: [boxes.length / 4, 4], device });
    const within = (size: number, from: number, to: number): Tensor => {
      const range = arange(0, size, 1, { device });
      return ops.logicalAnd(range.ge(edges.narrow(1, from, 1)), range.lt(edges.narrow(1, to, 1)));
    };
    const rows = within(images.size(2), 0, 2).unsqueeze(1).unsqueeze(3);
    const columns = within(images.size(3), 1, 3).unsqueeze(1).unsqueeze(2);
    const inside = ops.logicalAnd(rows, columns);
    const filled = partner ? ops.where(inside, partnersOf(images, partner), images) : images.maskedFill(inside, 0);
    return inLayoutOf(images, filled);
  });
}

/** `pastePatches` in operators that every device has. */
export function pastePatchesPlain(images: Tensor, partner: Int32Array, mask: Uint8Array, side: number): Tensor {
  return tidy(() => {
    const [batch, , height, width] = images.shape as [number, number, number, number];
    const shape = [batch, 1, Math.ceil(height / side), Math.ceil(width / side)];
    const patches = tensor(mask, { shape, dtype: 'bool', device: images.device });
    const rows = ops.repeatInterleave(patches, side, 2).narrow(2, 0, height);
    const pixels = ops.repeatInterleave(rows, side, 3).narrow(3, 0, width);
    return inLayoutOf(images, ops.where(pixels, partnersOf(images, partner), images));
  });
}

/**
 * A partner for each image, none its own, uniform over all such pairings.
 *
 * @throws UserError for a batch of one image, which has no other
 */
export function drawPartners(context: DrawContext, scheme: string): Int32Array {
  const count = context.index.length;
  if (count < 2) {
    throw new UserError(`${scheme} mixes each image with another of its batch, and this batch has ${count}`, {
      hint: `choose a ${toGive('batchSize')} (or ${toGive('limitTrain')}) that leaves no single image for the last batch`,
    });
  }
  return partnerStream(context, scheme).derangement(count);
}
