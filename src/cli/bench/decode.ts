/** @file `thrive bench decode`: images a second that one thread decodes and crops, in turn with Pillow and torchvision. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { UserError } from '../../base/errors.ts';
import { decodeAddon } from '../../data/decode/addon.ts';
import { evalCrop, trainCrop } from '../../data/decode/geometry.ts';
import { openImage } from '../../data/decode/image.ts';
import { nothingIgnored } from '../../data/listing/listing.ts';
import { imagesBelow } from '../../data/listing/walk.ts';
import { stream } from '../../torch/random.ts';
import { result, table } from '../output.ts';

export interface BenchDecodeFlags {
  seconds: number;
  rounds: number;
  against?: string;
  python: string;
  json?: boolean;
}

const views = ['train', 'eval'] as const;
type View = (typeof views)[number];
type Speeds = Record<View, number>;

const size = 224;

async function ours(folder: string, seconds: number): Promise<Speeds> {
  const files = imagesBelow(folder, '', nothingIgnored()).map((name) => `${folder}/${name}`);
  if (files.length === 0) throw new UserError(`there are no images in ${folder}`);
  const out = new Uint8Array(3 * size * size);
  const speeds: Speeds = { train: 0, eval: 0 };
  for (const view of views) {
    const start = performance.now();
    let count = 0;
    for (; performance.now() - start < seconds * 1000; count++) {
      const image = await openImage(readFileSync(files[count % files.length]!));
      const { width, height } = image;
      const random = stream(0, 'bench', count);
      const crop = view === 'train' ? trainCrop(random, width, height, size) : evalCrop(width, height, size, 256);
      await image.draw(crop, out, [size, size]);
    }
    speeds[view] = (count * 1000) / (performance.now() - start);
  }
  return speeds;
}

function theirs(folder: string, seconds: number, script: string, python: string): Speeds {
  const { status, stdout, stderr, error } = spawnSync(python, [script, folder, `${seconds}`], { encoding: 'utf8' });
  if (status !== 0) {
    const why = error?.message ?? stderr.trim().split('\n').at(-1);
    throw new UserError(`${python} ${script} failed: ${why}`, {
      hint: 'it needs torchvision; --python names another Python',
    });
  }
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { view: View; images_per_second: number });
  const of = (view: View): number => lines.find((line) => line.view === view)?.images_per_second ?? Number.NaN;
  return { train: of('train'), eval: of('eval') };
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;

export async function benchDecode(folder: string, flags: BenchDecodeFlags): Promise<void> {
  const { seconds, rounds, against, python, json } = flags;
  await ours(folder, Math.min(seconds, 0.5)); // warm: files in the cache, code compiled
  const measured: { ours: Speeds; theirs: Speeds | null }[] = [];
  for (let round = 0; round < rounds; round++) {
    measured.push({
      ours: await ours(folder, seconds),
      theirs: against ? theirs(folder, seconds, against, python) : null,
    });
  }
  const rows = views.map((view) => {
    const own = median(measured.map((round) => round.ours[view]));
    const other = against ? median(measured.map((round) => round.theirs?.[view] ?? Number.NaN)) : null;
    // Rounds are compared one by one: a machine that is busy is so for both.
    const ratio = against
      ? median(measured.map((round) => round.ours[view] / (round.theirs?.[view] ?? Number.NaN)))
      : null;
    return { view, imagesPerSecond: own, reference: other, ratio };
  });
  const decoder = decodeAddon() ? 'libjpeg-turbo' : 'sharp';
  result(json, { decoder, size, rounds, rows }, () =>
    table(
      ['view', `${decoder}, images/s`, 'reference', 'ratio'],
      rows.map(({ view, imagesPerSecond, reference, ratio }) => [
        view,
        imagesPerSecond.toFixed(0),
        reference?.toFixed(0) ?? '',
        ratio ? `${ratio.toFixed(2)}x` : '',
      ]),
    ),
  );
}
