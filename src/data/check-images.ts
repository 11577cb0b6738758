/** @file Every image of a dataset read once, to see that it can be. */
import { availableParallelism } from 'node:os';
import { decodeDefaults } from './decode/image.ts';
import { DecodePool } from './decode/pool.ts';
import type { Looked } from './decode/task.ts';
import type { Split } from './image-set.ts';
import type { ImageListing } from './listing/listing.ts';

export interface ImageReport {
  /** Images of each class that can be used. */
  classes: { name: string; train: number; test: number }[];
  /** Usable images of each split. */
  count: Record<Split, number>;
  /** How many there are of each format. */
  formats: Record<string, number>;
  /** Shortest and longest sides; median of each. Pixels. Null where no image can be used. */
  sizes: { width: Range; height: Range } | null;
  bytes: number;
  /** Images that cannot be decoded. */
  damaged: { name: string; reason: string }[];
  /** Images that can, but are not as they should be: libjpeg warned. */
  suspect: string[];
  /** Files of the same bytes, in training and in testing: the test knows them already. */
  leaks: { train: string; test: string }[];
  /** Files of the same bytes in one split: how many there are beside the first of each. */
  duplicates: Record<Split, number>;
  /** Files of the same bytes under different classes. */
  contradictions: string[][];
}

interface Range {
  least: number;
  median: number;
  most: number;
}

const splits = ['train', 'test'] as const;
const perTask = 16;

/** Read and decode every image of a listing. What is wrong is reported, not thrown. */
export async function checkImages(
  listing: ImageListing,
  {
    workers = availableParallelism(),
    onProgress,
  }: { workers?: number; onProgress?: (done: number, total: number) => void } = {},
): Promise<ImageReport> {
  const total = splits.reduce((sum, split) => sum + listing.lists[split].names.length, 0);
  const report: ImageReport = {
    classes: listing.classNames.map((name) => ({ name, train: 0, test: 0 })),
    count: { train: 0, test: 0 },
    formats: {},
    sizes: null,
    bytes: 0,
    damaged: [],
    suspect: [],
    leaks: [],
    duplicates: { train: 0, test: 0 },
    contradictions: [],
  };
  const widths: number[] = [];
  const heights: number[] = [];
  const byHash = new Map<string, { split: Split; name: string; label: number }[]>();
  const note = (split: Split, i: number, found: Looked): void => {
    const name = listing.lists[split].names[i]!;
    const label = listing.lists[split].labels[i]!;
    report.count[split]++;
    report.classes[label]![split]++;
    report.formats[found.format] = (report.formats[found.format] ?? 0) + 1;
    report.bytes += found.bytes;
    widths.push(found.width);
    heights.push(found.height);
    if (found.warnings > 0) report.suspect.push(name);
    const alike = byHash.get(found.hash);
    if (alike) alike.push({ split, name, label });
    else byHash.set(found.hash, [{ split, name, label }]);
  };

  const pool = new DecodePool(Math.min(workers, Math.ceil(total / perTask)));
  const together = Math.max(1, pool.size * 2);
  let done = 0;
  try {
    for (const split of splits) {
      const list = listing.lists[split];
      const firsts = Array.from({ length: Math.ceil(list.names.length / perTask) }, (_, k) => k * perTask);
      // As many tasks at once as keep the threads busy: a listing may have a million images.
      for (let at = 0; at < firsts.length; at += together) {
        const begun = firsts.slice(at, at + together).map(async (first) => {
          const length = Math.min(perTask, list.names.length - first);
          const images = Array.from({ length }, (_, i) => list.ref(first + i));
          return { first, answer: await pool.run({ kind: 'check', images, options: decodeDefaults }) };
        });
        for (const { first, answer } of await Promise.all(begun)) {
          for (const { at: i, reason } of answer.bad) report.damaged.push({ name: list.names[first + i]!, reason });
          answer.looked?.forEach((found, i) => {
            if (found) note(split, first + i, found);
          });
          done += answer.looked?.length ?? 0;
          onProgress?.(done, total);
        }
      }
    }
  } finally {
    await pool.close();
  }
  for (const alike of byHash.values()) {
    const train = alike.filter(({ split }) => split === 'train');
    const test = alike.filter(({ split }) => split === 'test');
    report.duplicates.train += Math.max(0, train.length - 1);
    report.duplicates.test += Math.max(0, test.length - 1);
    if (train[0]) for (const { name } of test) report.leaks.push({ train: train[0].name, test: name });
    if (new Set(alike.map(({ label }) => label)).size > 1) report.contradictions.push(alike.map(({ name }) => name));
  }
  if (widths.length > 0) report.sizes = { width: rangeOf(widths), height: rangeOf(heights) };
  return report;
}

function rangeOf(values: number[]): Range {
  const sorted = Float64Array.from(values).sort();
  return { least: sorted[0]!, median: sorted[sorted.length >> 1]!, most: sorted.at(-1)! };
}
