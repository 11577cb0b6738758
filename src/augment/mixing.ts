import { UserError } from '../base/errors.ts';
import { toGive } from '../base/speech.ts';
import { schemeByName } from './index.ts';

/** Mixing needs two images in every batch. @throws UserError */
export function checkMixing(views: readonly { scheme: string }[], batchSize: number, count: number): void {
  const mixing = views.find(({ scheme }) => schemeByName(scheme).mixes);
  if (!mixing || (batchSize > 1 && count % batchSize !== 1)) return;
  throw new UserError(
    `${mixing.scheme} mixes images of a batch, but batches of ${batchSize} leave a batch of one of ${count} images`,
    { hint: `choose another ${toGive('batchSize')} or ${toGive('limitTrain')}` },
  );
}
