import { type Tensor, tidy } from '../torch/index.ts';

/**
 * Channel c of g groups of n goes to place (c mod n) g + c div n, so that the next grouped convolution sees all groups
 * (Zhang et al., 2018). Keeps the memory format, which libtorch's own operator for it does not.
 */
export function channelShuffle(input: Tensor, groups: number): Tensor {
  if (groups === 1) return input;
  const [n, channels, height, width] = input.shape as [number, number, number, number];
  const inner = channels / groups;
  return tidy(() => {
    if (input.isContiguous()) {
      const split = input.view([n, groups, inner, height, width]);
      return split.transpose(1, 2).reshape([n, channels, height, width]);
    }
    const split = input.permute([0, 2, 3, 1]).reshape([n, height, width, groups, inner]);
    return split.transpose(3, 4).reshape([n, height, width, channels]).permute([0, 3, 1, 2]);
  });
}
