/** @file The runs of a sweep: seeds, methods and augmentations crossed, each a command line, and what they cost. */
import { schemeByName } from '../augment/index.ts';
import { UserError } from '../base/errors.ts';
import { unknownName } from '../base/suggest.ts';
import { lossNames } from '../distill/losses/registry.ts';
import { criteria, criterionNeeds } from '../distill/pick/index.ts';

export interface SweepAxes {
  seeds: readonly number[];
  /** `ce` is the student alone; others as for `thrive distill --method`. */
  methods: readonly string[];
  /** `none`, a scheme, or a scheme with a criterion: `cutmix+pick:kl`. */
  augmentations: readonly string[];
}

export interface PlannedRun {
  /** Its folder's name: `crd+kd+cutmix-s1`. */
  name: string;
  task: 'train' | 'distill';
  seed: number;
  /** What makes it differ from the others, as flags. */
  flags: string[];
  /** Images through each network for one image of x, measuring aside. */
  passes: { teacher: number; student: number };
}

const PICK = '+pick:';

function checkMethod(method: string): void {
  if (method === 'ce') return;
  for (const part of method.split('+')) {
    const [name = '', on] = part.split('@');
    if (!lossNames.includes(name)) throw unknownName('method', name, ['ce', ...lossNames]);
    if (on !== undefined && !['x', 'both'].includes(on)) throw unknownName('view', on, ['x', 'both']);
  }
}

function parseAugmentation(text: string): { scheme: string | null; pick: string | null } {
  if (text === 'none') return { scheme: null, pick: null };
  const [scheme = '', pick] = text.split(PICK);
  schemeByName(scheme);
  if (pick !== undefined && !criteria.includes(pick)) {
    throw unknownName('criterion', pick, criteria);
  }
  return { scheme, pick: pick ?? null };
}

/** Passes of one image and its second view, of which a pool is twice as large and half is kept. */
function passesOf(method: string, scheme: string | null, pick: string | null): PlannedRun['passes'] {
  if (method === 'ce') return { teacher: 0, student: 1 };
  if (!scheme) return { teacher: 1, student: 1 };
  if (!pick) return { teacher: 2, student: 2 };
  const needs = criterionNeeds(pick);
  return { teacher: needs.teacher ? 3 : 2, student: needs.student ? 4 : 2 };
}

const twice = (list: readonly (string | number)[]): string | number | undefined =>
  list.find((item, i) => list.indexOf(item) !== i);

/**
 * Every combination, the seeds outermost, so that what is compared is there after the first of them. The student alone has no
 * second view: `ce` is run once a seed.
 *
 * @throws UserError for a name that is unknown or given twice
 */
export function planSweep({ seeds, methods, augmentations }: SweepAxes): PlannedRun[] {
  for (const [flag, list] of [
    ['--seeds', seeds],
    ['--method', methods],
    ['--augment', augmentations],
  ] as const) {
    if (list.length === 0) throw new UserError(`${flag} names nothing`);
    const again = twice(list);
    if (again !== undefined) throw new UserError(`${flag} names ${again} twice`);
  }
  for (const method of methods) checkMethod(method);
  const views = augmentations.map((text) => ({ text, ...parseAugmentation(text) }));
  return seeds.flatMap((seed) =>
    methods.flatMap((method): PlannedRun[] => {
      const seedFlags = ['--seed', String(seed)];
      if (method === 'ce') {
        return [{ name: `ce-s${seed}`, task: 'train', seed, flags: seedFlags, passes: passesOf('ce', null, null) }];
      }
      return views.map(({ text, scheme, pick }) => ({
        name: `${[method, ...(scheme ? [text.replace(PICK, '-pick-')] : [])].join('+')}-s${seed}`,
        task: 'distill',
        seed,
        flags: [
          ...(method === 'kd' ? [] : ['--method', method]),
          ...(scheme ? ['--augment', scheme] : []),
          ...(pick ? ['--pick', pick] : []),
          ...seedFlags,
        ],
        passes: passesOf(method, scheme, pick),
      }));
    }),
  );
}

export interface SweepCost {
  runs: number;
  steps: number;
  images: number;
  teacher: number;
  student: number;
}

/** Of `images` training images an epoch; losses that look at features may pass images more often. */
export function costOf(runs: readonly PlannedRun[], images: number, epochs: number, batchSize: number): SweepCost {
  const seen = images * epochs;
  const sum = (of: (run: PlannedRun) => number): number => runs.reduce((total, run) => total + of(run), 0);
  return {
    runs: runs.length,
    steps: runs.length * epochs * Math.ceil(images / batchSize),
    images: runs.length * seen,
    teacher: sum(({ passes }) => passes.teacher * seen),
    student: sum(({ passes }) => passes.student * seen),
  };
}
