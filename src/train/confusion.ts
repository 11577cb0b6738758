/** @file Which classes are taken for which others. */

export interface ConfusedPair {
  /** Class of the label, and class that was chosen instead. */
  label: number;
  chosen: number;
  count: number;
  /** Of the label's images. */
  share: number;
}

/** Counts of images by label (row) and chosen class (column). */
export class Confusion {
  readonly classes: number;
  readonly counts: Float64Array;

  constructor(classes: number) {
    this.classes = classes;
    this.counts = new Float64Array(classes * classes);
  }

  /** A batch's logits [labels.length, classes]. Of equal logits the lower class is chosen; with a NaN none is. */
  add(logits: Float32Array, labels: Int32Array): void {
    for (const [row, label] of labels.entries()) {
      const own = logits.subarray(row * this.classes, (row + 1) * this.classes);
      let chosen = 0;
      for (let c = 1; c < own.length; c++) if (own[c]! > own[chosen]!) chosen = c;
      if (own.some(Number.isNaN)) continue;
      this.counts[label * this.classes + chosen]!++;
    }
  }

  at(label: number, chosen: number): number {
    return this.counts[label * this.classes + chosen]!;
  }

  /** Images and share right of each class; NaN where it has no image. */
  perClass(): { count: number; top1: number }[] {
    return Array.from({ length: this.classes }, (_, label) => {
      const count = this.counts
        .subarray(label * this.classes, (label + 1) * this.classes)
        .reduce((sum, value) => sum + value, 0);
      return { count, top1: (100 * this.at(label, label)) / count };
    });
  }

  /** Off the diagonal, most frequent first. */
  pairs(most: number): ConfusedPair[] {
    const totals = this.perClass();
    return Array.from(this.counts, (count, i) => ({
      label: Math.floor(i / this.classes),
      chosen: i % this.classes,
      count,
    }))
      .filter(({ label, chosen, count }) => label !== chosen && count > 0)
      .sort((a, b) => b.count - a.count || a.label - b.label || a.chosen - b.chosen)
      .slice(0, most)
      .map((pair) => ({ ...pair, share: pair.count / totals[pair.label]!.count }));
  }
}
