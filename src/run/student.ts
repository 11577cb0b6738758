/** @file The network that a run trains, as it is before the first step. */
import { UserError } from '../base/errors.ts';
import { toGive } from '../base/speech.ts';
import type { Config } from '../config/config.ts';
import { networkOf } from '../config/derive.ts';
import type { DatasetInfo } from '../data/index.ts';
import type { ImageModel } from '../models/index.ts';
import { loadNetwork } from '../networks/load-network.ts';
import { modelLabel } from '../networks/model-reference.ts';
import { modelSource } from '../networks/model-source.ts';
import { checkpointNetwork } from '../train/checkpoint.ts';

/**
 * A student with weights drawn from the run's seed, or (`init`) loaded from a file.
 *
 * @throws UserError for a file of another network, or of other classes where the classifier is not to be drawn
 */
export async function makeStudent(config: Config, { classes, size }: DatasetInfo): Promise<ImageModel> {
  const { seed, studentTaps: taps, init, resetHead } = config;
  const model = networkOf(config);
  if (init === undefined) return (await modelSource(model)).create({ classes, imageSize: size, seed, taps });
  const said = checkpointNetwork(init)?.model;
  if (said !== undefined && said !== modelLabel(model)) {
    throw new UserError(`${init} holds the weights of a ${said}, not of a ${modelLabel(model)}`, {
      hint: `train that network, or start from other weights`,
    });
  }
  const { network } = await loadNetwork(init, {
    model,
    classes,
    imageSize: size,
    taps,
    keyFlag: 'thrive import --key',
    modelSetting: config.task === 'train' ? 'model' : 'student',
    ...(resetHead ? { resetHead: { seed } } : {}),
    classesHint: `${toGive('resetHead')} loads all but the classifier, which is then drawn from the seed`,
  });
  return network;
}
