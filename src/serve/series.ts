/**
 * @file A number over a run's steps in bounded memory. While there are few values each is kept; then neighbours share a bucket that
 * remembers its least and its greatest value, so a spike among a million steps is still drawn.
 */

/** Buckets of a series: more than a screen has columns to draw them in. */
const MOST = 1024;

/** x and y by turns; y is null for a gap: a value that is no number. */
export type Points = (number | null)[];

export class Series {
  /** Of each bucket: x and y of its least value, x and y of its greatest. NaN where it holds no number. */
  #buckets = new Float64Array(4 * 16);
  #count = 0;
  #each = 1;
  #inLast = 0;
  /** Values that are no finite number. */
  gaps = 0;
  last = Number.NaN;
  values = 0;

  add(x: number, y: number): void {
    this.values++;
    this.last = y;
    if (!Number.isFinite(y)) this.gaps++;
    if (this.#count === 0 || this.#inLast === this.#each) {
      if (this.#count === MOST) this.#halve();
      this.#append(x, Number.isFinite(y) ? y : Number.NaN);
      return;
    }
    this.#inLast++;
    if (Number.isFinite(y)) this.#widen(4 * (this.#count - 1), x, y, x, y);
  }

  #append(x: number, y: number): void {
    if (4 * this.#count === this.#buckets.length) {
      const grown = new Float64Array(2 * this.#buckets.length);
      grown.set(this.#buckets);
      this.#buckets = grown;
    }
    this.#buckets.set([x, y, x, y], 4 * this.#count++);
    this.#inLast = 1;
  }

  #widen(at: number, lowX: number, low: number, highX: number, high: number): void {
    const buckets = this.#buckets;
    if (!(buckets[at + 1]! <= low)) buckets.set([lowX, low], at);
    if (!(buckets[at + 3]! >= high)) buckets.set([highX, high], at + 2);
  }

  /** Two buckets become one. */
  #halve(): void {
    const buckets = this.#buckets;
    for (let i = 0; i < this.#count; i += 2) {
      const [from, to] = [4 * i, 2 * i];
      buckets.copyWithin(to, from, from + 4);
      const [lowX, low, highX, high] = buckets.subarray(from + 4, from + 8);
      if (!Number.isNaN(low)) this.#widen(to, lowX!, low!, highX!, high!);
    }
    this.#count /= 2;
    this.#each *= 2;
    this.#inLast = this.#each;
  }

  /** Whether every value is among the points. */
  get exact(): boolean {
    return this.#each === 1;
  }

  points(): Points {
    const result: Points = [];
    for (let at = 0; at < 4 * this.#count; at += 4) {
      const [lowX, low, highX, high] = this.#buckets.subarray(at, at + 4) as unknown as [
        number,
        number,
        number,
        number,
      ];
      if (Number.isNaN(low)) result.push(lowX, null);
      else if (lowX === highX) result.push(lowX, low);
      else if (lowX < highX) result.push(lowX, low, highX, high);
      else result.push(highX, high, lowX, low);
    }
    return result;
  }
}
