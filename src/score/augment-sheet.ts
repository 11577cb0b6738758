/** @file An image of what augmentations do: a batch, what each scheme makes of it, the pools and what is picked of them. */
import {
  drawCropFlip,
  gatherCropFlip,
  normalizeImages,
  schemeByName,
  schemeSettings,
  standardOptions,
} from '../augment/index.ts';
import { UserError } from '../base/errors.ts';
import { named } from '../base/speech.ts';
import { epochOrder, toTensorSet } from '../data/batches.ts';
import { subset } from '../data/image-set.ts';
import { loadSplit, normalizationOf } from '../data/index.ts';
import { criterionNeeds, findCriterion } from '../distill/pick/index.ts';
import { checkModel } from '../networks/model-reference.ts';
import { encodePng } from '../plot/png.ts';
import { type Band, type Cell, drawSheet } from '../plot/sheet.ts';
import { defaultThreads, setNumThreads, type Tensor, tensor, tidy } from '../torch/index.ts';
import { prefersChannelsLast } from '../train/layout.ts';
import { type CheckpointOptions, checkJudges, type JudgeOptions, loadJudges, loadViewParts } from './scorers.ts';
import { type ViewBatch, ViewPool } from './view-pool.ts';
import { type ViewSpec, viewName, viewScheme } from './views.ts';

export interface AugmentSheetOptions extends JudgeOptions {
  /** For picking by what a teacher says. */
  teacher?: CheckpointOptions | undefined;
  /** Images: the batch that the views are made of. Default 8, or as many as there are. */
  count?: number | undefined;
  /** Also ask the teacher what it sees in every image, as in a page that shows them one by one. */
  opinions?: boolean | undefined;
  /** Pixels on the sheet for each pixel of an image. Default 3. */
  scale?: number | undefined;
}

/** What stands in one band of the sheet. */
export interface SheetView extends ViewSpec {
  /** The criterion of every image of the pool, view by view; null where nothing is picked. */
  scores: number[] | null;
  /** Places in the pool, best first. */
  picked: number[] | null;
}

export interface AugmentSheet {
  png: Buffer;
  /** What the sheet is drawn from: `sheetLayout` says where each image is. */
  bands: Band[];
  width: number;
  height: number;
  data: string;
  /** The images' places in the training set, and their classes. */
  images: { index: number; label: string }[];
  views: SheetView[];
  leftOut: { scheme: string; reason: string }[];
  /** The teacher's three likeliest classes for each image, as the bands have them; empty where it was not asked. */
  opinions: Opinion[][][][];
}

export interface Opinion {
  label: string;
  /** Probability at temperature 1. */
  share: number;
}

/** Normalised images back to bytes, one array each. */
function toPlanes(images: Tensor, mean: readonly number[], std: readonly number[]): Uint8Array[] {
  const [count = 0, channels = 0, height = 0, width = 0] = images.shape;
  const bytes = tidy(() => {
    const perChannel = (values: readonly number[]): Tensor =>
      tensor([...values], { device: images.device }).view([1, channels, 1, 1]);
    const scaled = images.mul(perChannel(std)).add(perChannel(mean)).mul(255);
    return scaled.round().clamp(0, 255).to('uint8').contiguous().data() as Uint8Array;
  });
  const size = channels * height * width;
  return Array.from({ length: count }, (_, i) => bytes.slice(i * size, (i + 1) * size));
}

/** The three likeliest classes of each row of logits. */
function topThree(logits: Float32Array, classes: number, names: readonly string[]): Opinion[][] {
  return Array.from({ length: logits.length / classes }, (_, row) => {
    const own = logits.subarray(row * classes, (row + 1) * classes);
    const largest = own.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
    const total = own.reduce((sum, value) => sum + Math.exp(value - largest), 0);
    return Array.from(own, (value, c) => ({ label: names[c] ?? String(c), share: Math.exp(value - largest) / total }))
      .sort((a, b) => b.share - a.share)
      .slice(0, 3);
  });
}

function checkCount(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new UserError(`${name} must be a whole number from ${least} to ${most}, got ${value}`);
}

/** Wider than this no viewer shows it well, and the memory it takes is no longer small. */
const MOST_IMAGES = 64;
const MOST_SCALE = 16;

/**
 * Draw a sheet: the images as they are, x, and a band for each augmentation; for one that picks, its pool with each image's
 * score and the picked ones framed. The images are the first of the epoch that a training run with this seed begins with.
 *
 * @throws UserError for anything wrong with the input, before anything is loaded where that can be known
 */
export async function augmentSheet(options: AugmentSheetOptions): Promise<AugmentSheet> {
  const { scale = 3, draw = 'sample', precision = 'fp32', teacher, student, onNote } = options;
  await loadViewParts(options);
  const checked = checkJudges(options, teacher !== undefined);
  const { info, specs, leftOut, device, seed } = checked;
  if (teacher?.model) checkModel(teacher.model);
  const most = Math.min(MOST_IMAGES, options.limitTrain ?? info.count?.train ?? MOST_IMAGES);
  const { count = Math.min(8, most) } = options;
  checkCount(named('count'), count, 1, most);
  checkCount(named('scale'), scale, 1, MOST_SCALE);
  const mixing = count < 2 ? specs.find(({ scheme }) => schemeByName(scheme).mixes) : undefined;
  if (mixing) {
    throw new UserError(`${named('count')} ${count}: ${mixing.scheme} mixes images with one another`, {
      hint: 'show two or more',
    });
  }
  const needs = (who: 'teacher' | 'student'): boolean =>
    specs.some(({ pick }) => pick && criterionNeeds(pick.criterion)[who]);
  if (teacher && !options.opinions && !needs('teacher')) {
    throw new UserError(`${named('teacher')}: no augmentation is picked by what a teacher says`, {
      hint: 'leave it out, or pick by teacher-entropy, kl or dissimilarity',
    });
  }
  setNumThreads(options.threads ?? defaultThreads());
  const judges = await loadJudges(
    { precision, threads: options.threads, onNote, ...(teacher ? { teacher } : {}), ...(student ? { student } : {}) },
    checked,
  );
  try {
    const source = { data: options.data, ...(options.dataDir ? { dataDir: options.dataDir } : {}) };
    const all = await loadSplit(source, 'train', options.limitTrain);
    const places = epochOrder(seed, 0, all.count).slice(0, count);
    const chosen = subset(all, places);
    const set = toTensorSet(chosen, device);
    const settings = schemeSettings(info);
    const standard = standardOptions({ baseAugment: 'crop+flip' }, info);
    const normalization = normalizationOf(info);
    const channelsLast = prefersChannelsLast(precision, device);
    const captions = Array.from(chosen.labels, (label) => info.classNames[label] ?? String(label));
    const cells = (images: Uint8Array[]): Cell[] =>
      images.map((data) => ({ data, width: chosen.width, height: chosen.height }));
    const size = 3 * chosen.height * chosen.width;
    const views: SheetView[] = [];
    const opinions: Opinion[][][][] = [];
    const bands: Band[] = [
      {
        title: 'original',
        note: `${info.name}, training set`,
        rows: [
          cells(captions.map((_, i) => chosen.images.slice(i * size, (i + 1) * size))).map((cell, i) => ({
            ...cell,
            caption: captions[i]!,
          })),
        ],
      },
    ];
    try {
      tidy(() => {
        const here = Int32Array.from({ length: count }, (_, i) => i);
        const crops = drawCropFlip(seed, 0, places, standard);
        const images = gatherCropFlip(set.images, here, crops, standard.padding);
        const x = normalizeImages(images, normalization, channelsLast);
        const planes = (images: Tensor): Cell[] => cells(toPlanes(images, normalization.mean, normalization.std));
        bands.push({ title: 'x', note: 'after the standard augmentation', rows: [planes(x)] });
        const asks = teacher !== undefined && options.opinions === true;
        const say = (logits: Float32Array | null): Opinion[][] =>
          asks && logits ? topThree(logits, judges.classes, info.classNames) : [];
        const asked = asks || needs('teacher') ? (judges.teacher(x).data() as Float32Array) : null;
        opinions.push([[]], [say(asked)]);
        const whole = (round: number): Int32Array => Int32Array.from({ length: count }, (_, i) => round * count + i);
        const batch: ViewBatch = {
          view: { images, x, normalization, channelsLast },
          teacher: asked ?? new Float32Array(count * judges.classes),
          index: places,
          seed,
          epoch: 0,
          step: 0,
          draw,
          settings,
        };
        const pools = new Map(specs.map((spec) => [spec.scheme, new ViewPool(batch, viewScheme(spec), judges)]));
        for (const spec of specs) {
          const { scheme, pick } = spec;
          const pool = pools.get(scheme)!;
          if (!pick) {
            views.push({ ...spec, scores: null, picked: null });
            bands.push({ title: viewName(spec), rows: [planes(pool.view(0))] });
            opinions.push([say(asks ? pool.plainLogits() : null)]);
            continue;
          }
          const { indices, scores } = pool.pick(pick);
          const kept = new Set(indices);
          const rows = Array.from({ length: pick.factor }, (_, round) =>
            planes(pool.view(round)).map((cell, i): Cell => {
              const place = round * count + i;
              return { ...cell, caption: scores[place]!.toFixed(3), framed: kept.has(place) };
            }),
          );
          views.push({ ...spec, scores: Array.from(scores), picked: Array.from(indices) });
          const note = `a pool of ${scores.length}, ${indices.length} kept: the largest by ${findCriterion(pick.criterion).measures}`;
          bands.push({ title: viewName(spec), note, rows });
          opinions.push(rows.map((_, round) => say(asks ? pool.teacherLogits(whole(round)) : null)));
        }
      });
    } finally {
      set.dispose();
    }
    const raster = drawSheet(bands, { scale, size: info.size, columns: count });
    return {
      png: encodePng(raster),
      bands,
      width: raster.width,
      height: raster.height,
      data: info.name,
      images: Array.from(places, (index, i) => ({ index, label: captions[i]! })),
      views,
      opinions: teacher && options.opinions ? opinions : [],
      leftOut: leftOut.map((spec) => ({ scheme: viewName(spec), reason: spec.reason })),
    };
  } finally {
    judges.dispose();
  }
}
