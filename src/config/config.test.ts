import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { UserError } from '../base/errors.ts';
import { speakFlags } from '../base/speech.ts';
import { type ConfigInput, configKeys, defineExperiment, resolveConfig } from './config.ts';
import { scheduleOf, viewOf } from './derive.ts';

const least = { data: 'cifar100', model: 'resnet20' };
const taught = { data: 'cifar100', student: 'resnet20', teacher: 't.pth' };
const messageOf = (input: unknown): string => {
  try {
    resolveConfig(input);
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as UserError).message;
  }
  return 'no error';
};
afterEach(() => speakFlags(null));

describe('defaults', () => {
  // "Knowledge Distillation Thrives on Data Augmentation", training settings for CIFAR-100.
  test('are the paper’s', () => {
    expect(resolveConfig({ ...taught, teacher: 'teacher.pth' })).toEqual({
      task: 'distill',
      data: 'cifar100',
      student: 'resnet20',
      teacher: 'teacher.pth',
      epochs: 240,
      batchSize: 64,
      lr: 0.05,
      momentum: 0.9,
      nesterov: false,
      weightDecay: 5e-4,
      schedule: 'step',
      milestones: [150, 180, 210],
      lrDecay: 0.1,
      method: ['kd'],
      weight: {},
      methodOption: {},
      gamma: 0.1,
      alpha: 0.9,
      temperature: 4,
      baseAugment: 'crop+flip',
      evaluateEvery: 1,
      gradientEvery: 100,
      holdout: 0,
      seed: 0,
      precision: 'fp32',
      device: 'cpu',
    });
  });

  test('milestones keep their proportion: 62.5, 75 and 87.5 % of the run', () => {
    const milestones = (epochs: number): unknown => resolveConfig({ ...least, epochs }).milestones;
    expect(milestones(480)).toEqual([300, 360, 420]);
    expect(milestones(960)).toEqual([600, 720, 840]);
    expect(milestones(8)).toEqual([5, 6, 7]);
    expect(milestones(1)).toEqual([]);
  });

  test('of every kind of schedule', () => {
    const schedule = (kind: ConfigInput['schedule']): unknown =>
      scheduleOf(resolveConfig({ ...least, schedule: kind }));
    expect(schedule('constant')).toEqual({ kind: 'constant' });
    expect(schedule('step')).toEqual({ kind: 'step', milestones: [150, 180, 210], gamma: 0.1 });
    expect(schedule('cosine')).toEqual({ kind: 'cosine', minLr: 0, warmupEpochs: 0 });
    expect(schedule('one-cycle')).toEqual({ kind: 'one-cycle', pctStart: 0.3, divFactor: 25, finalDivFactor: 1e4 });
  });

  test('the task follows from the teacher', () => {
    expect(resolveConfig(least).task).toBe('train');
    expect(resolveConfig({ ...taught, teacherModel: 'resnet56' })).toMatchObject({
      task: 'distill',
      teacherModel: 'resnet56',
    });
  });

  test.each<ConfigInput>([
    least,
    { ...least, epochs: 3, holdout: 0.1, schedule: 'cosine' },
    taught,
    { ...taught, teacher: ['a', 'b'], teacherWeights: [2, 1], method: 'at+crd+kd' },
    { ...taught, augment: 'cutmix', pick: 'kl' },
    { ...taught, augment: 'mixup', strongLabels: 'mixed', method: 'crd', strongWeight: 1 },
  ])('resolving again changes nothing: %j', (input) => {
    const once = resolveConfig(input);
    expect(resolveConfig(once)).toEqual(once);
    expect(resolveConfig(JSON.parse(JSON.stringify(once)))).toEqual(once);
  });

  test('a dataset has one spelling', () => {
    expect(resolveConfig({ ...least, data: 'CIFAR-100' }).data).toBe('cifar100');
  });

  test("the second view has the paper's picking where picking is asked for", () => {
    expect(viewOf(resolveConfig({ ...taught, augment: 'cutmix', pick: 'kl' }))).toEqual({
      scheme: 'cutmix',
      draw: 'sample',
      labels: 'teacher',
      weight: 0.9,
      passes: 'separate',
      pick: { criterion: 'kl', factor: 2, keep: 0.5, updateStatistics: false },
    });
  });
});

describe('bad values', () => {
  test.each<[Record<string, unknown>, RegExp]>([
    [{ data: undefined }, /^data \(--data\) is missing$/],
    [{ model: undefined }, /^model \(--model\) is missing$/],
    [{ model: undefined, teacher: 't' }, /^student \(--student\) is missing$/],
    [{ data: 5 }, /^data: must be a string, got 5$/],
    [{ data: 'cifar' }, /^unknown dataset 'cifar'/],
    [{ task: 'sleep' }, /^task: must be train, distill, got 'sleep'$/],
    [{ task: 'distill', model: undefined, student: 'resnet8' }, /^teacher \(--teacher\) is missing$/],
    [{ task: 'train', teacher: 't.pth' }, /^teacher has no effect: .*plain training has none$/],
    [{ teacher: 't.pth', student: 'resnet8' }, /^model has no effect: distillation trains a student$/],
    [{ epochs: 0 }, /^epochs: must be > ?0, got 0$/],
    [{ epochs: 1.5 }, /^epochs: must be a whole number, got 1\.5$/],
    [{ epochs: '3' }, /^epochs: must be a number, got '3'$/],
    [{ batchSize: -1 }, /^batchSize: must be > ?0, got -1$/],
    [{ lr: 0 }, /^lr: must be > ?0, got 0$/],
    [{ lr: Number.NaN }, /^lr: must be a number, got NaN$/],
    [{ lr: Number.POSITIVE_INFINITY }, /^lr: must be a number, got Infinity$/],
    [{ momentum: 1 }, /^momentum: must be < ?1, got 1$/],
    [{ nesterov: 1 }, /^nesterov: must be a boolean, got 1$/],
    [{ weightDecay: -1 }, /^weightDecay: must be >= ?0, got -1$/],
    [{ holdout: 1 }, /^holdout: must be < ?1, got 1$/],
    [{ limitTrain: 0 }, /^limitTrain: must be > ?0, got 0$/],
    [{ limitTest: 2.5 }, /^limitTest: must be a whole number, got 2\.5$/],
    [{ baseAugment: 'rotate' }, /^baseAugment: must be crop\+flip, crop, flip, none, got 'rotate'$/],
    [{ seed: -1 }, /^seed: must be >= ?0, got -1$/],
    [{ seed: 2 ** 60 }, /^seed: must be <= ?9007199254740991/],
    [{ precision: 'fp8' }, /^precision: must be fp32, bf16, got 'fp8'; did you mean 'fp32'\?$/],
    [{ threads: 0 }, /^threads: must be > ?0, got 0$/],
    [{ device: 7 }, /^device: must be a string, got 7$/],
    [{ dataDir: '' }, /^dataDir: .*got ''$/],
    [{ schedule: 'cosin' }, /^schedule: must be .*, got 'cosin'; did you mean 'cosine'\?$/],
    [{ lrDecay: 2 }, /^lrDecay: must be <= ?1, got 2$/],
    [{ milestones: 3 }, /^milestones: must be an array, got 3$/],
    [{ milestones: [0] }, /^milestones\.0: must be > ?0, got 0$/],
    [{ milestones: [240] }, /^milestones: 240 is not before the last of 240 epochs$/],
    [{ schedule: 'one-cycle', pctStart: 1 }, /^pctStart: must be < ?1, got 1$/],
    [{ schedule: 'cosine', warmupEpochs: 240 }, /^warmupEpochs 240 leaves nothing/],
  ])('%j', (bad, message) => {
    expect(messageOf({ ...least, ...bad })).toMatch(message);
  });

  test.each<[ConfigInput | Record<string, unknown>, RegExp]>([
    [{ teacher: '' }, /^teacher: .*got ''$/],
    [{ teacher: null }, /^teacher: .*got null$/],
    [{ teacherModel: 3 }, /^teacherModel: .*got 3$/],
    [
      { teacherNormalization: { mean: [1, 2] } },
      /^teacherNormalization: must be one of same, imagenet, .*three numbers each/,
    ],
    [{ teacher: ['a', 'b'], teacherModel: ['x', 'y', 'z'] }, /^teacherModel says 3, and there are 2 teachers$/],
    [{ teacher: ['a', 'b', 'c'], teacherWeights: [1, 2] }, /^teacherWeights says 2, and there are 3 teachers$/],
    [{ teacher: ['a', 'b'], ensemble: 'logit' }, /^ensemble: must be .*did you mean 'logits'\?$/],
    [{ temperature: 0 }, /^temperature: must be > ?0, got 0$/],
    [{ alpha: -1 }, /^alpha: must be >= ?0, got -1$/],
    [{ alpha: 0 }, /^alpha 0: kd has no weight$/],
    [{ augment: 'cutmx' }, /^augment: .*did you mean 'cutmix'\?$/],
    [{ augment: 'cutmix', pick: 'entropy' }, /^pick: must be kl, /],
    [{ augment: 'cutmix', pick: 'kl', pickFactor: 1 }, /pool factor of 1/],
    [{ augment: 'cutmix', pick: 'kl', pickKeep: 1 }, /kept share/],
    [{ augment: 'cutmix', strongWeight: -1 }, /^strongWeight/],
    [{ augment: 'cutmix', strongWeight: 0 }, /^strongWeight 0: nothing would be learnt/],
    [{ augment: 'mixup', batchSize: 1 }, /^augment mixup mixes images of a batch, and batchSize 1 leaves it none/],
    [{ augment: 'flip', strongLabels: 'mixed' }, /^strongLabels mixed needs an augmentation that mixes/],
    [{ augment: 'mixup', strongLabels: 'mixed', pick: 'random' }, /do not go together/],
    [{ method: 'crdd' }, /^unknown method 'crdd'; did you mean 'crd'\?$/],
    [{ method: 'at+attention' }, /^method: at is named twice$/],
    [{ method: '' }, /^method/],
    [{ method: [] }, /^method/],
    [{ method: 'at@strong' }, /on @x or @both, not on @strong/],
    [{ method: 'kd@both', augment: 'cutmix' }, /kd's term on x' has its own weight/],
    [{ method: 'at@both' }, /^at is to act on x' too, and there is none$/],
    [{ method: 'crd@both', augment: 'cutmix' }, /^crd cannot act on x': its memory has one row/],
    [{ method: 'fsp@both+kd', augment: 'cutmix' }, /^fsp cannot act on x'/],
    [{ method: 'crd', augment: 'cutmix' }, /^KL\(x'\) has weight 0/],
    [{ method: 'crd', augment: 'cutmix', strongLabels: 'mixed' }, /^the term on x' has weight 0/],
    [{ method: 'ab', gamma: 0 }, /nothing to learn from after it/],
    [{ method: 'at', weight: { at: 0 } }, /^weight\.at: must be > ?0, got 0$/],
    [{ method: 'ab', weight: { ab: 3 } }, /^weight\.ab has no effect: ab acts before the run's own epochs alone$/],
    [{ weight: { sp: 2 } }, /^weight\.sp: sp is not in use$/],
    [{ methodOption: { sp: { x: 2 } } }, /^methodOption\.sp: sp is not in use$/],
    [{ method: 'crd', methodOption: { crd: { negativs: 1 } } }, /did you mean 'negatives'\?/],
    [{ method: 'crd', methodOption: { crd: { momentum: 1 } } }, /momentum must be a number from 0 to below 1/],
    [{ weight: { kd: 1 }, alpha: 2 }, /^weight\.kd says 1 and alpha 2, which are the same thing$/],
    [
      { methodOption: { kd: { temperature: 2 } }, temperature: 3 },
      /says 2 and temperature 3, which are the same thing$/,
    ],
  ])('of distillation: %j', (bad, message) => {
    expect(messageOf({ ...taught, ...bad })).toMatch(message);
  });

  test('all of them are told at once', () => {
    expect(messageOf({ ...least, lr: -1, epochs: 0 }).split('\n')).toHaveLength(2);
  });

  test.each([null, undefined, [], 'cifar100', 5])('%j is no configuration', (input) => {
    expect(messageOf(input)).toMatch(/^a configuration is an object, not /);
  });

  test('on the command line, what was typed is named by its flag, and what was not by its key', () => {
    speakFlags(['batchSize', 'pickFactor']);
    expect(messageOf({ ...least, batchSize: 0 })).toMatch(/^--batch-size: must be/);
    expect(messageOf({ ...least, evaluateEvery: 0 })).toMatch(/^evaluateEvery: must be/);
    expect(messageOf({ ...taught, augment: 'cutmix', pickFactor: 3 })).toBe(
      '--pick-factor has no effect: nothing is picked',
    );
  });
});

describe('misspelt settings', () => {
  test('get the right one suggested', () => {
    fc.assert(
      fc.property(fc.constantFrom(...configKeys), fc.nat(), fc.boolean(), (key, at, double) => {
        // Two letters leave nothing to recognise.
        if (key.length < 4) return;
        const i = 1 + (at % (key.length - 1));
        const typo = key.slice(0, i) + (double ? key[i]!.repeat(2) : '') + key.slice(i + 1);
        if ((configKeys as readonly string[]).includes(typo)) return;
        expect(messageOf({ ...least, [typo]: 1 })).toMatch(new RegExp(`^unknown setting '${typo}'; did you mean '`));
      }),
      { numRuns: 300 },
    );
  });

  test('a flag where a key belongs, and a name of before, are told the right one', () => {
    expect(messageOf({ ...least, 'batch-size': 2 })).toBe("unknown setting 'batch-size'; did you mean 'batchSize'?");
    expect(messageOf({ ...least, standard: 'flip' })).toBe("unknown setting 'standard': it is baseAugment now");
  });

  test('that resemble nothing get the list', () => {
    try {
      resolveConfig({ ...least, wibbling: 1 });
      expect.unreachable();
    } catch (error) {
      expect((error as UserError).hint).toContain(configKeys.join(', '));
    }
  });

  test('in defineExperiment are type errors', () => {
    // @ts-expect-error: it is called epochs
    defineExperiment({ data: 'cifar100', epocs: 3 });
    // @ts-expect-error: there is no such schedule
    defineExperiment({ schedule: 'linear' });
    const shared = defineExperiment({ data: 'cifar100', schedule: 'cosine' });
    const whole: ConfigInput = { ...shared, model: 'resnet20' };
    expect(resolveConfig(whole).schedule).toBe('cosine');
  });
});
