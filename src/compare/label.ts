/** @file What a student learns from, in a few words: `CE`, `KD + crd`, `KD + cutmix + pick kl`. */

type Dict = Record<string, unknown>;

const isDict = (value: unknown): value is Dict => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Names of further losses, however they are written: names, objects with a name, or an object keyed by name. */
export function methodNames(methods: unknown): string[] {
  if (typeof methods === 'string') return methods.split('+').filter((name) => name !== '');
  if (isDict(methods)) return Object.keys(methods);
  if (!Array.isArray(methods)) return [];
  return methods.map((entry: unknown) => {
    if (!isDict(entry)) return String(entry);
    const name = String(entry.name ?? entry.method ?? entry.loss ?? JSON.stringify(entry));
    return entry.on === 'both' ? `${name} (x and x')` : name;
  });
}

/** Whether the teacher's outputs on x are a term of the loss. */
export const hasKd = ({ task, kd, methods }: Dict): boolean =>
  methodNames(methods).includes('kd') || (task === 'distill' && !(isDict(kd) && kd.alpha === 0));

/** The terms of the loss and the second view; `fields` are a configuration's or a fingerprint's. */
export function objectiveLabel(fields: Dict): string {
  const { strong, methods } = fields;
  const names = methodNames(methods).filter((name) => name !== 'kd' && name !== 'ce');
  const parts = [...(hasKd(fields) ? ['KD'] : []), ...names];
  if (parts.length === 0) parts.push('CE');
  if (isDict(strong)) {
    parts.push(String(strong.scheme));
    if (isDict(strong.pick)) parts.push(`pick ${String(strong.pick.criterion)}`);
  }
  return parts.join(' + ') + (isDict(strong) && strong.labels === 'mixed' ? ' (mixed labels)' : '');
}

/**
 * Labels that differ: each row's objective, then whatever else differs between rows (`details`, most telling first), as far as
 * it is needed to tell the rows apart or was asked for; a number where nothing does.
 */
export function rowLabels(objectives: readonly string[], details: readonly (readonly string[])[]): string[] {
  const labels = objectives.map((objective, i) => [objective, ...details[i]!.filter((text) => text !== '')].join(', '));
  const times = new Map<string, number>();
  return labels.map((label) => {
    if (labels.indexOf(label) === labels.lastIndexOf(label)) return label;
    const n = (times.get(label) ?? 0) + 1;
    times.set(label, n);
    return `${label} (${n})`;
  });
}
