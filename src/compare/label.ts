/** @file What a student learns from, in a few words, as flags have it: `ce`, `crd+kd`, `kd+cutmix pick kl`. */

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
    return entry.on === 'both' ? `${name}@both` : name;
  });
}

/** Whether the teacher's outputs on x are a term of the loss. */
export const hasKd = ({ task, kd, methods }: Dict): boolean =>
  methodNames(methods).includes('kd') || (task === 'distill' && !(isDict(kd) && kd.alpha === 0));

/** The terms of the loss and the second view; `fields` are a configuration's or a fingerprint's. */
export function objectiveLabel(fields: Dict): string {
  const { strong, methods } = fields;
  const names = methodNames(methods).filter((name) => name !== 'kd' && name !== 'ce');
  const parts = [...names, ...(hasKd(fields) ? ['kd'] : [])];
  if (parts.length === 0) parts.push('ce');
  if (!isDict(strong)) return parts.join('+');
  const pick = isDict(strong.pick) ? ` pick ${String(strong.pick.criterion)}` : '';
  return `${[...parts, String(strong.scheme)].join('+')}${pick}${strong.labels === 'mixed' ? ' mixed labels' : ''}`;
}

/**
 * Labels that differ and are short: each row's objective, and of what else differs between rows (`details`, most telling first)
 * only as much as tells rows of one objective apart; a number where nothing does.
 */
export function rowLabels(objectives: readonly string[], details: readonly (readonly string[])[]): string[] {
  const labels = [...objectives];
  for (const objective of new Set(objectives)) {
    const rows = objectives.flatMap((own, i) => (own === objective ? [i] : []));
    const count = (): number => new Set(rows.map((i) => labels[i])).size;
    for (let at = 0; count() < rows.length && at < Math.max(...rows.map((i) => details[i]!.length)); at++) {
      if (new Set(rows.map((i) => details[i]![at])).size < 2) continue;
      const before = [...labels];
      const told = count();
      for (const i of rows) if (details[i]![at]) labels[i] += ` ${details[i]![at]}`;
      // What repeats another setting tells nothing more.
      if (count() === told) for (const i of rows) labels[i] = before[i]!;
    }
  }
  const times = new Map<string, number>();
  return labels.map((label) => {
    if (labels.indexOf(label) === labels.lastIndexOf(label)) return label;
    const n = (times.get(label) ?? 0) + 1;
    times.set(label, n);
    return `${label} (${n})`;
  });
}
