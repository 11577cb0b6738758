import { UserError } from './errors.ts';

/** Number of single-character edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(replace, last[j]! + 1, row[j - 1]! + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, beforeLast[j - 2]! + 1);
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}

/**
 * The candidate nearest to `name` (case ignored), or undefined when none is near enough to be a misspelling. Of several as near,
 * one that goes on where the name ends: `resnet2` is a resnet20 cut short rather than a resnet8.
 */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const found = candidate.toLowerCase();
    const distance = editDistance(wanted, found) - (found.startsWith(wanted) ? 0.5 : 0);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** The error for a name that is not in a list: says what kind of name, which were possible, and the nearest one. */
export function unknownName(kind: string, name: string, known: Iterable<string>): UserError {
  const names = [...known];
  const guess = nearest(name, names);
  return new UserError(`unknown ${kind} '${name}'${guess ? `; did you mean '${guess}'?` : ''}`, {
    hint: `known: ${names.join(', ')}`,
  });
}
