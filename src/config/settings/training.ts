/** @file Data, networks, optimisation, machine: what training with and without a teacher share. */
import { z } from 'zod';
import { UserError } from '../../base/errors.ts';
import { named, toGive } from '../../base/speech.ts';
import { type Draft, type NoEffect, setting, type World } from '../row.ts';
import { count, fraction, nonNegative, numberList, positive, text } from '../values.ts';

export const dataSettings = {
  task: setting(z.enum(['train', 'distill']), {
    group: 'First run',
    help: 'cross entropy alone, or distillation from a teacher',
    value: null,
    required: true,
    defaultText: 'distill where a teacher is given',
    title: 'learns from',
    objective: true,
  }),
  data: setting(text, {
    group: 'First run',
    help: 'dataset: cifar100, cifar10, fashion-mnist, mnist, synthetic; or the path of a file that exports one',
    value: '<name>',
    required: true,
    // One spelling of a name, so that the same experiment has the same fingerprint.
    settle: (name: string, _given, { datasetInfo, datasets, isImagePath }) =>
      isImagePath(name) ? datasetInfo(name).name : datasets.canonical(name),
    path: 'part',
    title: 'dataset',
  }),
  dataDir: setting(text, {
    group: 'First run',
    help: 'folder that holds the dataset (or set THRIVE_DATA)',
    value: '<folder>',
    path: 'file',
    scope: 'machine',
  }),
  limitTrain: setting(count, {
    group: 'Data',
    help: 'use only n training images, the first n / classes of each class',
    value: '<n>',
    title: 'training images',
  }),
  limitTest: setting(count, {
    group: 'Data',
    help: 'use only n test images, the first n / classes of each class',
    value: '<n>',
    title: 'test images',
  }),
  holdout: setting(fraction, {
    group: 'Data',
    help: 'keep this share of the training set apart and choose the best epoch on it',
    value: '<fraction>',
    default: 0,
    title: 'share held out to choose the best epoch',
  }),
  baseAugment: setting(z.enum(['crop+flip', 'crop', 'flip', 'none']), {
    group: 'Data',
    help: 'how every image is augmented first, each with its own draw: crop+flip, crop, flip or none',
    value: '<name>',
    default: 'crop+flip',
    title: 'base augmentation',
  }),
};

const withInit = ({ init }: Draft): NoEffect | false =>
  init === undefined && {
    why: 'it is for weights that are loaded: all are drawn here',
    hint: `give ${toGive('init')}`,
  };

export const networkSettings = {
  model: setting(text, {
    group: 'First run',
    help: 'the network: see thrive models; or the path of a file that exports one',
    value: '<name>',
    task: 'train',
    required: true,
    path: 'network',
    scope: 'identity',
    title: 'student',
  }),
  student: setting(text, {
    group: 'First run',
    help: 'the network to train: see thrive models; or the path of a file that exports one',
    value: '<name>',
    task: 'distill',
    required: true,
    path: 'network',
    scope: 'identity',
    title: 'student',
  }),
  init: setting(text, {
    group: 'Networks',
    help: 'start from the weights in this file: .pth or .safetensors',
    value: '<file>',
    path: 'file',
    scope: 'identity',
    title: 'weights to start from',
  }),
  resetHead: setting(z.boolean(), {
    group: 'Networks',
    help: 'with init: all but the last linear layer, which is drawn; for weights of other classes',
    default: false,
    needs: withInit,
    scope: 'identity',
  }),
};

const ofSchedule =
  (kind: string) =>
  ({ schedule }: Draft): NoEffect | false =>
    schedule !== kind && { why: `it belongs to ${toGive('schedule', kind)}, not ${String(schedule)}` };

export const optimizerSettings = {
  epochs: setting(count, {
    group: 'First run',
    help: 'passes over the training set',
    value: '<n>',
    default: 240,
  }),
  batchSize: setting(count, {
    group: 'First run',
    help: 'images a step',
    value: '<n>',
    default: 64,
    title: 'batch size',
  }),
  lr: setting(positive, {
    group: 'First run',
    help: 'learning rate',
    value: '<rate>',
    default: 0.05,
    title: 'learning rate',
  }),
  momentum: setting(fraction, { group: 'Optimisation', help: 'momentum of SGD', value: '<m>', default: 0.9 }),
  nesterov: setting(z.boolean(), {
    group: 'Optimisation',
    help: 'Nesterov momentum',
    default: false,
    needs: ({ momentum }) => momentum === 0 && { why: 'it needs a momentum above 0' },
  }),
  weightDecay: setting(nonNegative, {
    group: 'Optimisation',
    help: 'weight decay, on every parameter, batch norm and biases included',
    value: '<w>',
    default: 5e-4,
    title: 'weight decay',
  }),
  schedule: setting(z.enum(['step', 'cosine', 'one-cycle', 'constant']), {
    group: 'Learning-rate schedule',
    help: 'how the learning rate moves: step, cosine, one-cycle or constant',
    value: '<name>',
    default: 'step',
  }),
  milestones: setting(z.array(count), {
    group: 'Learning-rate schedule',
    help: 'epochs after which step multiplies the rate by lr-decay',
    value: '<epochs>',
    read: numberList,
    needs: ofSchedule('step'),
    default: ({ epochs }: Draft, { paperMilestones }: World) => paperMilestones(Number(epochs)),
    defaultText: '62.5, 75 and 87.5 % of the run',
    settle: (milestones: number[], { epochs }) => {
      const late = milestones.find((milestone) => milestone >= Number(epochs));
      if (late === undefined) return milestones;
      throw new UserError(`${named('milestones')}: ${late} is not before the last of ${String(epochs)} epochs`);
    },
  }),
  lrDecay: setting(positive.max(1), {
    group: 'Learning-rate schedule',
    help: 'what step multiplies the rate by at each milestone',
    value: '<factor>',
    needs: ofSchedule('step'),
    default: 0.1,
    title: 'decay of the learning rate',
  }),
  minLr: setting(nonNegative, {
    group: 'Learning-rate schedule',
    help: 'where cosine ends',
    value: '<rate>',
    needs: ofSchedule('cosine'),
    default: 0,
    title: 'last learning rate',
  }),
  warmupEpochs: setting(nonNegative, {
    group: 'Learning-rate schedule',
    help: 'epochs over which the rate of cosine rises first',
    value: '<n>',
    needs: ofSchedule('cosine'),
    default: 0,
    settle: (value: number, { epochs }) => {
      if (value < Number(epochs)) return value;
      throw new UserError(`${named('warmupEpochs')} ${value} leaves nothing of the ${String(epochs)} epochs`);
    },
    title: 'epochs of warm-up',
  }),
  pctStart: setting(z.number().gt(0).lt(1), {
    group: 'Learning-rate schedule',
    help: 'share of the run in which the rate of one-cycle rises',
    value: '<share>',
    needs: ofSchedule('one-cycle'),
    default: 0.3,
  }),
  divFactor: setting(positive, {
    group: 'Learning-rate schedule',
    help: 'one-cycle begins at the learning rate divided by this',
    value: '<n>',
    needs: ofSchedule('one-cycle'),
    default: 25,
  }),
  finalDivFactor: setting(positive, {
    group: 'Learning-rate schedule',
    help: 'and ends at that divided by this',
    value: '<n>',
    needs: ofSchedule('one-cycle'),
    default: 1e4,
  }),
};

export const machineSettings = {
  evaluateEvery: setting(count, {
    group: 'Measuring',
    help: 'measure after every n epochs, and after the last',
    value: '<n>',
    default: 1,
    scope: 'machine',
    title: 'epochs between measurements',
  }),
  gradientEvery: setting(z.int().nonnegative(), {
    group: 'Measuring',
    help: "record each loss's share of the gradient every n steps; 0: never. It costs a backward pass a term",
    value: '<n>',
    task: 'distill',
    default: 100,
    needs: ({ gamma, method, augment }) =>
      gamma === 0 &&
      Array.isArray(method) &&
      method.join() === 'kd' &&
      augment === undefined && { why: 'the loss has a single term, and that is the whole gradient' },
    scope: 'machine',
  }),
  seed: setting(z.int().nonnegative(), {
    group: 'First run',
    help: 'everything random follows from it',
    value: '<n>',
    default: 0,
    scope: 'seed',
  }),
  precision: setting(z.enum(['fp32', 'bf16']), {
    group: 'Machine',
    help: 'fp32, or bf16: mixed precision by autocast',
    value: '<name>',
    default: 'fp32',
  }),
  device: setting(text, {
    group: 'Machine',
    help: 'cpu, cuda, cuda:1',
    value: '<name>',
    default: 'cpu',
    scope: 'machine',
  }),
  threads: setting(count, {
    group: 'Machine',
    help: 'threads of the engine',
    value: '<n>',
    defaultText: 'all processors',
    scope: 'machine',
  }),
};
