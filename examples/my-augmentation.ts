/**
 * An augmentation of your own:
 *   thrive show-augment --data synthetic --augment ./examples/my-augmentation.ts,cutmix
 *   thrive distill --data synthetic --teacher TEACHER --student resnet8 --augment ./examples/my-augmentation.ts --augment-option dim.least=0.2
 *
 * Every image darker, or rather nearer to the dataset's mean colour, by a share of its own.
 */
import { defineAugmentation, drawEach, options, tensor } from 'thrive';

export default defineAugmentation({
  name: 'dim',
  options: { least: options.fraction(0.5, 'share of its contrast that an image keeps at least') },
  // Plain data, from the stream of each sample: the same for the same seed, epoch and sample, whatever batch it comes in.
  draw: (context, { least }) => ({
    kept: Float64Array.from(drawEach(context, 'dim', (random) => random.uniform(least, 1))),
  }),
  // A pure function of the normalised images [B, 3, H, W]; what it makes on the way is freed.
  apply: ({ x }, { kept }) => x.mul(tensor(kept, { shape: [kept.length, 1, 1, 1], dtype: x.dtype, device: x.device })),
});
