/** @file What `thrive data check` prints. */
import { quantity } from '../base/quantity.ts';
import type { ImageReport } from '../data/check-images.ts';
import type { ImageListing } from '../data/listing/listing.ts';
import { table } from './output.ts';

/** Files named in full of each kind of trouble; --json has all. */
const shown = 10;

const listed = (lines: readonly string[]): string[] => [
  ...lines.slice(0, shown).map((line) => `  ${line}`),
  ...(lines.length > shown ? [`  and ${lines.length - shown} more; --json names all`] : []),
];

export function imageReport(listing: ImageListing, report: ImageReport): string {
  const { sizes, damaged, suspect, leaks, duplicates, contradictions } = report;
  const range = ({ least, median, most }: { least: number; median: number; most: number }): string =>
    least === most ? `${least}` : `${least} to ${most}, median ${median}`;
  const { hidden, others, links } = listing.ignored;
  const passed = [
    ...Object.entries(others).map(([kind, count]) => `${count} ${kind}`),
    ...(hidden > 0 ? [`${hidden} hidden`] : []),
    ...(links > 0 ? [quantity(links, 'link')] : []),
  ];
  const section = (title: string, lines: readonly string[]): string[] =>
    lines.length > 0 ? ['', `${title}:`, ...listed(lines)] : [];
  return [
    `${listing.title}: ${report.count.train} training and ${report.count.test} test images of ${listing.classNames.length} classes`,
    ...(listing.split
      ? [`test images: a share of ${listing.split.fraction} of each class, chosen by seed ${listing.split.seed}`]
      : []),
    ...(sizes ? [`width ${range(sizes.width)}; height ${range(sizes.height)} pixels`] : []),
    `formats: ${Object.entries(report.formats)
      .map(([format, count]) => `${count} ${format}`)
      .join(', ')}; ${(report.bytes / 2 ** 20).toFixed(1)} MiB`,
    ...(passed.length > 0 ? [`passed over: ${passed.join(', ')}`] : []),
    '',
    table(
      ['class', 'train', 'test'],
      report.classes.map(({ name, train, test }) => [name, `${train}`, `${test}`]),
    ),
    ...section(
      `${damaged.length} cannot be used`,
      damaged.map(({ name, reason }) => `${name}: ${reason}`),
    ),
    ...section(`${suspect.length} can be used, but are damaged`, suspect),
    ...section(
      `${leaks.length} test images are training images too`,
      leaks.map(({ train, test }) => `${test} is ${train}`),
    ),
    ...section(
      `${contradictions.length} images are in more than one class`,
      contradictions.map((names) => names.join(', ')),
    ),
    ...(duplicates.train + duplicates.test > 0
      ? ['', `there twice or more: ${duplicates.train} training and ${duplicates.test} test images`]
      : []),
    ...(damaged.length + suspect.length + leaks.length + contradictions.length === 0 ? ['', 'nothing is wrong'] : []),
  ].join('\n');
}
