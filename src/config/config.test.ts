import { Command } from 'commander';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UserError } from '../base/errors.ts';
import { registerDistill, registerTrain } from '../cli/commands/train.ts';
import { type ConfigInput, configKeys, defineExperiment, flagOf, resolveConfig } from './config.ts';

const least = { data: 'cifar100', model: 'resnet20' };
const messageOf = (input: unknown): string => {
  try {
    resolveConfig(input);
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as UserError).message;
  }
  return 'no error';
};

describe('defaults', () => {
  // "Knowledge Distillation Thrives on Data Augmentation", training settings for CIFAR-100.
  test('are the paper’s', () => {
    expect(resolveConfig({ ...least, teacher: 'teacher.pth' })).toEqual({
      task: 'distill',
      data: 'cifar100',
      model: 'resnet20',
      teacher: { checkpoint: 'teacher.pth' },
      epochs: 240,
      batchSize: 64,
      lr: 0.05,
      momentum: 0.9,
      nesterov: false,
      weightDecay: 5e-4,
      schedule: { kind: 'step', milestones: [150, 180, 210], gamma: 0.1 },
      kd: { gamma: 0.1, alpha: 0.9, temperature: 4 },
      standard: 'crop+flip',
      evaluateEvery: 1,
      gradientEvery: 100,
      holdout: 0,
      seed: 0,
      precision: 'fp32',
      device: 'cpu',
    });
  });

  test('milestones keep their proportion: 62.5, 75 and 87.5 % of the run', () => {
    const milestones = (epochs: number): unknown => resolveConfig({ ...least, epochs }).schedule;
    expect(milestones(480)).toEqual({ kind: 'step', milestones: [300, 360, 420], gamma: 0.1 });
    expect(milestones(960)).toEqual({ kind: 'step', milestones: [600, 720, 840], gamma: 0.1 });
    expect(milestones(8)).toEqual({ kind: 'step', milestones: [5, 6, 7], gamma: 0.1 });
    expect(milestones(1)).toEqual({ kind: 'step', milestones: [], gamma: 0.1 });
  });

  test('of every kind of schedule', () => {
    const schedule = (kind: string): unknown => resolveConfig({ ...least, schedule: { kind } }).schedule;
    expect(schedule('constant')).toEqual({ kind: 'constant' });
    expect(schedule('step')).toEqual({ kind: 'step', milestones: [150, 180, 210], gamma: 0.1 });
    expect(schedule('cosine')).toEqual({ kind: 'cosine', minLr: 0, warmupEpochs: 0 });
    expect(schedule('one-cycle')).toEqual({
      kind: 'one-cycle',
      pctStart: 0.3,
      divFactor: 25,
      finalDivFactor: 1e4,
    });
  });

  test('the task follows from the teacher', () => {
    expect(resolveConfig(least).task).toBe('train');
    const withTeacher = { ...least, teacher: { checkpoint: 't.pth', model: 'resnet56' } };
    expect(resolveConfig(withTeacher)).toMatchObject({ task: 'distill', teacher: withTeacher.teacher });
  });

  test('resolving again changes nothing', () => {
    for (const more of [{}, { teacher: 't' }, { schedule: { kind: 'cosine' } }, { epochs: 3, holdout: 0.1 }]) {
      const once = resolveConfig({ ...least, ...more });
      expect(resolveConfig(once)).toEqual(once);
      expect(resolveConfig(JSON.parse(JSON.stringify(once)))).toEqual(once);
    }
  });

  test('a dataset has one spelling', () => {
    expect(resolveConfig({ ...least, data: 'CIFAR-100' }).data).toBe('cifar100');
  });
});

describe('bad values', () => {
  test.each<[Record<string, unknown>, RegExp]>([
    [{ data: undefined }, /^data \(--data\) is missing$/],
    [{ model: undefined }, /^model \(--model\) is missing$/],
    [{ model: undefined, teacher: 't' }, /^model \(--student\) is missing$/],
    [{ data: 5 }, /^data \(--data\): must be a string, got 5$/],
    [{ data: 'cifar' }, /^unknown dataset 'cifar'/],
    [{ task: 'sleep' }, /^task: must be train, distill, got 'sleep'$/],
    [{ task: 'distill' }, /^distillation needs a teacher$/],
    [{ task: 'train', teacher: 't.pth' }, /^plain training uses no teacher$/],
    [{ teacher: '' }, /^teacher\.checkpoint \(--teacher\): .*got ''$/],
    [{ teacher: {} }, /^teacher\.checkpoint \(--teacher\) is missing$/],
    [{ teacher: { checkpoint: 't', model: 3 } }, /^teacher\.model \(--teacher-model\): must be a string, got 3$/],
    [
      { teacher: { checkpoint: 't', normalization: { mean: [1, 2] } } } as never,
      /^teacher\.normalization \(--teacher-normalization\): must be one of same, imagenet, .*three numbers each/,
    ],
    [{ teacher: null }, /^teacher \(--teacher\): must be an object, got null$/],
    [{ epochs: 0 }, /^epochs \(--epochs\): must be > ?0, got 0$/],
    [{ epochs: 1.5 }, /^epochs \(--epochs\): must be a whole number, got 1\.5$/],
    [{ epochs: '3' }, /^epochs \(--epochs\): must be a number, got '3'$/],
    [{ batchSize: -1 }, /^batchSize \(--batch-size\): must be > ?0, got -1$/],
    [{ lr: 0 }, /^lr \(--lr\): must be > ?0, got 0$/],
    [{ lr: Number.NaN }, /^lr \(--lr\): must be a number, got NaN$/],
    [{ lr: Number.POSITIVE_INFINITY }, /^lr \(--lr\): must be a number, got Infinity$/],
    [{ momentum: 1 }, /^momentum \(--momentum\): must be < ?1, got 1$/],
    [{ momentum: 0, nesterov: true }, /^--nesterov needs a momentum above 0$/],
    [{ nesterov: 1 }, /^nesterov \(--nesterov\): must be a boolean, got 1$/],
    [{ weightDecay: -1 }, /^weightDecay \(--weight-decay\): must be >= ?0, got -1$/],
    [{ holdout: 1 }, /^holdout \(--holdout\): must be < ?1, got 1$/],
    [{ limitTrain: 0 }, /^limitTrain \(--limit-train\): must be > ?0, got 0$/],
    [{ limitTest: 2.5 }, /^limitTest \(--limit-test\): must be a whole number, got 2\.5$/],
    [{ standard: 'rotate' }, /^standard \(--base-augment\): must be crop\+flip, crop, flip, none, got 'rotate'$/],
    [{ seed: -1 }, /^seed \(--seed\): must be >= ?0, got -1$/],
    [{ seed: 2 ** 60 }, /^seed \(--seed\): must be <= ?9007199254740991/],
    [{ precision: 'fp8' }, /^precision \(--precision\): must be fp32, bf16, got 'fp8'; did you mean 'fp32'\?$/],
    [{ threads: 0 }, /^threads \(--threads\): must be > ?0, got 0$/],
    [{ device: 7 }, /^device \(--device\): must be a string, got 7$/],
    [{ dataDir: '' }, /^dataDir \(--data-dir\): .*got ''$/],
    [{ kd: 4 }, /^kd: must be an object, got 4$/],
    [{ kd: { temperature: 0 } }, /^kd\.temperature \(--temperature\): must be > ?0, got 0$/],
    [{ kd: { alpha: -1 } }, /^kd\.alpha \(--alpha\): must be >= ?0, got -1$/],
    [{ kd: { gamma: 0, alpha: 0 } }, /^--gamma and --alpha are both 0/],
    [{ schedule: 'cosine' }, /^schedule \(--schedule\): must be an object, got 'cosine'$/],
    [{ schedule: {} }, /^schedule\.kind \(--schedule\) is missing$/],
    [
      { schedule: { kind: 'cosin' } },
      /^schedule\.kind \(--schedule\): must be .*, got 'cosin'; did you mean 'cosine'\?$/,
    ],
    [{ schedule: { kind: 'step', gamma: 2 } }, /^schedule\.gamma: must be <= ?1, got 2$/],
    [{ schedule: { kind: 'step', milestones: 3 } }, /^schedule\.milestones \(--milestones\): must be an array, got 3$/],
    [
      { schedule: { kind: 'step', milestones: [0] } },
      /^schedule\.milestones\.0 \(--milestones\): must be > ?0, got 0$/,
    ],
    [{ schedule: { kind: 'step', milestones: [240] } }, /^--milestones: 240 is not before the last of 240 epochs$/],
    [{ schedule: { kind: 'one-cycle', pctStart: 1 } }, /^schedule\.pctStart: must be < ?1, got 1$/],
    [{ schedule: { kind: 'cosine', warmupEpochs: 240 } }, /^schedule\.warmupEpochs: 240 leaves nothing/],
  ])('%j', (bad, message) => {
    expect(messageOf({ ...least, ...bad })).toMatch(message);
  });

  test('all of them are told at once', () => {
    expect(messageOf({ lr: -1, epochs: 0 }).split('\n')).toHaveLength(4);
  });

  test.each([null, undefined, [], 'cifar100', 5])('%j is no configuration', (input) => {
    expect(messageOf(input)).toMatch(/^a configuration is an object, not /);
  });
});

describe('misspelt settings', () => {
  const settings: [string, (key: string) => unknown][] = [
    ...configKeys.map((key): [string, (key: string) => unknown] => [key, (typo) => ({ ...least, [typo]: 1 })]),
    ...['gamma', 'alpha', 'temperature'].map((key): [string, (key: string) => unknown] => [
      `kd.${key}`,
      (typo) => ({ ...least, kd: { [typo]: 1 } }),
    ]),
    ...['checkpoint', 'model'].map((key): [string, (key: string) => unknown] => [
      `teacher.${key}`,
      (typo) => ({ ...least, teacher: { checkpoint: 't', [typo]: 't' } }),
    ]),
    ...Object.entries({
      step: ['milestones', 'gamma'],
      cosine: ['minLr', 'warmupEpochs'],
      'one-cycle': ['pctStart', 'divFactor', 'finalDivFactor'],
    }).flatMap(([kind, keys]) =>
      keys.map((key): [string, (key: string) => unknown] => [
        `schedule.${key}`,
        (typo) => ({ ...least, schedule: { kind, [typo]: 1 } }),
      ]),
    ),
  ];

  test('get the right one suggested, wherever they stand', () => {
    fc.assert(
      fc.property(fc.constantFrom(...settings), fc.nat(), fc.boolean(), ([path, make], at, double) => {
        const key = path.slice(path.lastIndexOf('.') + 1);
        // Two letters leave nothing to recognise.
        if (key.length < 4) return;
        const i = 1 + (at % (key.length - 1));
        const typo = key.slice(0, i) + (double ? key[i]!.repeat(2) : '') + key.slice(i + 1);
        // One letter less than `teachers` is a setting too, or as near to it.
        if (configKeys.includes(typo) || typo === 'teaches') return;
        const place = path.slice(0, path.lastIndexOf('.') + 1);
        expect(messageOf(make(typo))).toContain(`unknown setting '${place}${typo}'; did you mean '${path}'?`);
      }),
      { numRuns: 300 },
    );
  });

  test('on the first level, one that belongs below is found', () => {
    expect(messageOf({ ...least, temperature: 2 })).toBe(
      "unknown setting 'temperature'; did you mean 'kd.temperature'?",
    );
    expect(messageOf({ ...least, milestone: [3] })).toContain("did you mean 'schedule.milestones'?");
  });

  test('that resemble nothing get the list', () => {
    expect(messageOf({ ...least, kd: { colour: 1 } })).toBe(
      "unknown setting 'kd.colour'; known there: gamma, alpha, temperature",
    );
    expect(messageOf({ ...least, schedule: { kind: 'constant', gamma: 0.1 } })).toBe(
      "unknown setting 'schedule.gamma'; known there: kind",
    );
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
    defineExperiment({ schedule: { kind: 'linear' } });
    const shared = defineExperiment({ data: 'cifar100', schedule: { kind: 'cosine' } });
    const whole: ConfigInput = { ...shared, model: 'resnet20' };
    expect(resolveConfig(whole).schedule.kind).toBe('cosine');
  });
});

describe('a second view', () => {
  const distill = (strong: object, more: object = {}): unknown => ({
    data: 'cifar100',
    model: 'resnet8',
    teacher: 't.pth',
    strong,
    ...more,
  });

  test("has the paper's picking where picking is asked for", () => {
    const { strong } = resolveConfig(distill({ scheme: 'cutmix', pick: { criterion: 'kl' } }));
    expect(strong).toEqual({
      scheme: 'cutmix',
      draw: 'sample',
      labels: 'teacher',
      passes: 'separate',
      pick: { criterion: 'kl', factor: 2, keep: 0.5, updateStatistics: false },
    });
  });

  test.each([
    [distill({ scheme: 'cutmx' }), /strong\.scheme \(--augment\).*did you mean 'cutmix'\?/],
    [distill({}), /strong\.scheme \(--augment\) is missing/],
    [distill({ scheme: 'cutmix', pick: { criterion: 'entropy' } }), /--pick/],
    [distill({ scheme: 'cutmix', pick: { criterion: 'kl', factor: 1 } }), /pool factor of 1/],
    [distill({ scheme: 'cutmix', pick: { criterion: 'kl', keep: 1 } }), /kept share/],
    [distill({ scheme: 'cutmix', pick: { criterion: 'kl', kep: 1 } }), /did you mean 'strong\.pick\.keep'\?/],
    [distill({ scheme: 'cutmix', weight: -1 }), /--strong-weight/],
    [distill({ scheme: 'cutmix', weight: 0 }), /--strong-weight 0: nothing would be learnt/],
    [distill({ scheme: 'mixup' }, { batchSize: 1 }), /--batch-size 1 leaves it none to mix/],
    [distill({ scheme: 'flip', labels: 'mixed' }), /needs an augmentation that mixes/],
    [distill({ scheme: 'mixup', labels: 'mixed', pick: { criterion: 'random' } }), /do not go together/],
    [distill({ scheme: 'cutmix' }, { kd: { alpha: 0 } }), /weight 0/],
    [{ data: 'cifar100', model: 'resnet8', strong: { scheme: 'cutmix' } }, /plain training has no teacher/],
  ])('%j is refused', (config, message) => {
    expect(() => resolveConfig(config)).toThrow(message);
  });
});

describe('flagOf', () => {
  const flagsOf = (register: (program: Command) => void): Set<string> => {
    const program = new Command();
    register(program);
    return new Set(program.commands[0]!.options.map((option) => option.long!));
  };
  const known = { train: flagsOf(registerTrain), distill: flagsOf(registerDistill) };
  const paths: string[][] = [
    ...configKeys.map((key) => [key]),
    ['teacher', 'checkpoint'],
    ['teacher', 'model'],
    ['teachers', '0', 'model'],
    ['teachers', '0', 'weight'],
    ...['name', 'weight', 'on', 'options'].map((key) => ['methods', '0', key]),
    ['kd', 'gamma'],
    ['kd', 'alpha'],
    ['kd', 'temperature'],
    ...['kind', 'milestones', 'gamma', 'minLr', 'warmupEpochs', 'pctStart'].map((key) => ['schedule', key]),
    ['schedule', 'milestones', '0'],
    ...['scheme', 'draw', 'weight', 'labels', 'passes', 'pick'].map((key) => ['strong', key]),
    ...['criterion', 'factor', 'keep', 'updateStatistics'].map((key) => ['strong', 'pick', key]),
  ];

  test.each(paths)('%s %s', (...path) => {
    const flag = flagOf(path, 'distill');
    if (flag !== undefined) expect(known.distill).toContain(flag);
    else expect(['task', 'kd', 'schedule', 'strong']).toContain(path[0]);
    const ofTrain = flagOf(path, 'train');
    const ofDistill = [
      'teacher',
      'teachers',
      'ensemble',
      'methods',
      'gradientEvery',
      'kd',
      'strong',
      'studentTaps',
      'teacherTaps',
    ];
    if (ofTrain !== undefined && !ofDistill.includes(path[0]!)) expect(known.train).toContain(ofTrain);
  });

  test('schedule.gamma is not the --gamma of distillation', () => {
    expect(flagOf(['schedule', 'gamma'])).toBeUndefined();
    expect(flagOf(['kd', 'gamma'])).toBe('--gamma');
  });
});
