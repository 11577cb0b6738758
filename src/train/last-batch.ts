import { UserError } from '../base/errors.ts';
import { OneValueError, withoutStatistics } from '../nn/index.ts';
import { noGrad, tidy, zeros } from '../torch/index.ts';
import type { Trainee } from './step.ts';

/**
 * Refuse, before an epoch is spent, a last batch of one image where a batch norm of the network would see one value a channel (a
 * map of 1x1, as in resnet18 at 32 pixels). An error and not a batch of another size: joined to its neighbour or left out, the
 * image would change what an epoch is, and with it runs that are to be compared.
 *
 * @throws UserError naming the number of images and the batch size
 */
export function checkLastBatch(
  student: Trainee,
  { count, batchSize, imageSize, device }: { count: number; batchSize: number; imageSize: number; device: string },
): void {
  if (batchSize > 1 && count % batchSize !== 1) return;
  const { training } = student;
  try {
    noGrad(() =>
      tidy(() => {
        student.train();
        withoutStatistics(student, () => student.forward(zeros([1, 3, imageSize, imageSize], { device })));
      }),
    );
  } catch (error) {
    if (!(error instanceof OneValueError)) throw error;
    throw new UserError(`${count} images in batches of ${batchSize} leave a batch of one, and ${error.message}`, {
      cause: error,
      hint: 'choose another --batch-size or --limit-train',
    });
  } finally {
    student.train(training);
  }
}
