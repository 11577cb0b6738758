/** @file Records of runs from before settings were called as their flags are: read as if they had been written today. */
import { type Dict, isDict } from './values.ts';

/** Former names of settings, and what says the same now. */
export const formerNames: Readonly<Record<string, string>> = {
  standard: 'baseAugment',
  strong: 'augment, and draw, strongWeight, strongLabels, passes, pick beside it',
  kd: 'gamma, alpha and temperature, each a setting',
  methods: "method, as in 'crd+kd', with weight and methodOption beside it",
  teachers: 'teacher, a list, with teacherModel and teacherWeights beside it',
};

/** Whether something is of before: its base augmentation had another name, or its teacher was an object. */
const isFormer = (value: Dict): boolean =>
  Object.keys(formerNames).some((key) => key in value) || isDict(value.schedule);

const present = (value: Dict): Dict =>
  Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined && item !== null));

function schedule(value: unknown): Dict {
  if (!isDict(value)) return { schedule: value };
  const { kind, gamma, ...rest } = value;
  return { schedule: kind, ...rest, ...(gamma === undefined ? {} : { lrDecay: gamma }) };
}

function teachers(list: readonly Dict[]): Dict {
  const all = (key: string): unknown => {
    const values = list.map((one) => one[key]);
    if (values.every((value) => value === undefined)) return undefined;
    return values.length === 1 ? values[0] : values;
  };
  return {
    teacher: all('checkpoint'),
    teacherModel: all('model'),
    teacherNormalization: all('normalization'),
    teacherWeights: all('weight'),
  };
}

function losses({ methods, kd, strong, teacher, teachers, ensemble }: Dict): Dict {
  const others = (Array.isArray(methods) ? methods : []).filter(isDict);
  const { gamma, alpha, temperature } = isDict(kd) ? kd : {};
  const hasKd = alpha !== 0;
  const weights = others.map(({ name, weight }) => [name, weight] as const);
  const options = others.filter(({ options }) => isDict(options) && Object.keys(options).length > 0);
  const names = others.map(({ name, on }) => (on === 'both' ? `${String(name)}@both` : String(name)));
  const view = isDict(strong) ? strong : undefined;
  const weight = view?.weight ?? (hasKd ? alpha : undefined);
  const onView = view !== undefined && view.labels !== 'mixed' && Number(weight ?? 0) > 0;
  const averages = (Array.isArray(teacher) || Array.isArray(teachers)) && ensemble !== 'logits';
  const softens = hasKd || onView || averages || (isDict(view?.pick) && view.pick.criterion === 'kl');
  return {
    method: hasKd ? [...names, 'kd'] : names,
    // What acts before the run's own epochs alone never had a weight.
    weight: Object.fromEntries(weights.filter(([name]) => name !== 'ab' && name !== 'fsp')),
    methodOption: Object.fromEntries(options.map(({ name, options }) => [name, options])),
    gamma,
    alpha: hasKd ? alpha : undefined,
    temperature: softens ? temperature : undefined,
    strongWeight: weight,
  };
}

function view(strong: Dict): Dict {
  const pick = isDict(strong.pick) ? strong.pick : {};
  const asksStudent = pick.criterion === 'kl' || pick.criterion === 'student-entropy';
  return {
    augment: strong.scheme,
    draw: strong.scheme === 'identity' ? undefined : (strong.draw ?? 'sample'),
    pick: pick.criterion,
    pickFactor: pick.factor,
    pickKeep: pick.keep,
    pickUpdatesStatistics: asksStudent ? (pick.updateStatistics ?? false) : undefined,
    strongLabels: strong.labels ?? 'teacher',
    passes: strong.passes ?? 'separate',
  };
}

/**
 * A recorded configuration in today's words, or (`fields`) a fingerprint's. What is of today stays as it is. Nothing of what is read is
 * trusted: what cannot be told is left out.
 */
export function modernize(recorded: Dict, what: 'config' | 'fields' = 'config'): Dict {
  if (!isFormer(recorded)) return recorded;
  const {
    standard,
    strong,
    kd: _kd,
    methods: _methods,
    schedule: moves,
    model,
    teacher,
    teachers: several,
    ...rest
  } = recorded;
  const distils = recorded.task === 'distill';
  const { nesterov, gradientEvery, ...others } = rest;
  return present({
    ...others,
    ...schedule(moves),
    baseAugment: standard,
    nesterov: recorded.momentum === 0 ? undefined : nesterov,
    ...(what === 'fields'
      ? { model, ...(teacher === undefined ? {} : { teacher }) }
      : { [distils ? 'student' : 'model']: model }),
    ...(distils && what === 'config'
      ? teachers(Array.isArray(several) ? several : isDict(teacher) ? [teacher] : [])
      : {}),
    ...(distils ? { ...losses(recorded), ...(isDict(strong) ? view(strong) : { strongWeight: undefined }) } : {}),
    ...(distils && (Array.isArray(several) || Array.isArray(teacher))
      ? { ensemble: recorded.ensemble ?? 'probabilities' }
      : {}),
    ...(distils ? { gradientEvery } : {}),
  });
}
