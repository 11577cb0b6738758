/** @file What a student learns from, in a few words, as flags have it: `ce`, `crd+kd`, `kd+cutmix pick kl`. */
import type { Dict } from '../config/values.ts';

/** The terms of the loss and the second view; `fields` are a configuration's or a fingerprint's. */
export function objectiveLabel({ method, augment, pick, strongLabels, alpha }: Dict): string {
  const names = (Array.isArray(method) ? method : []).map(String);
  const others = names.filter((name) => name !== 'kd');
  const parts = [...others, ...(names.includes('kd') && alpha !== 0 ? ['kd'] : [])];
  if (parts.length === 0) parts.push('ce');
  if (augment === undefined) return parts.join('+');
  const picked = pick === undefined ? '' : ` pick ${String(pick)}`;
  return `${[...parts, String(augment)].join('+')}${picked}${strongLabels === 'mixed' ? ' mixed labels' : ''}`;
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
