import { expect, test } from 'vitest';
import { batchView, drawContext, misfitUniform } from '../../test/augment.ts';
import { datasetInfo } from '../data/index.ts';
import { tidy } from '../torch/index.ts';
import { cutout } from './cutout.ts';
import { schemeSettings } from './scheme.ts';

/** Centres from holes: whichever side the border did not clip tells. */
function centres(boxes: Int32Array, side: number): { rows: number[]; columns: number[] } {
  const half = side / 2;
  const centre = (from: number, to: number): number => (from > 0 ? from + half : to - half);
  const count = boxes.length / 4;
  return {
    rows: Array.from({ length: count }, (_, i) => centre(boxes[4 * i]!, boxes[4 * i + 2]!)),
    columns: Array.from({ length: count }, (_, i) => centre(boxes[4 * i + 1]!, boxes[4 * i + 3]!)),
  };
}

test('the centre is any pixel, all as likely, at the border too', () => {
  const { boxes } = cutout.draw(drawContext(20_000));
  const { rows, columns } = centres(boxes, 8);
  expect(misfitUniform(rows, 32)).toBeLessThan(4);
  expect(misfitUniform(columns, 32)).toBeLessThan(4);
  const joint = rows.map((row, i) => Math.floor(row / 4) * 8 + Math.floor(columns[i]! / 4));
  expect(misfitUniform(joint, 64)).toBeLessThan(4);
  expect([Math.min(...rows), Math.max(...rows), Math.min(...columns), Math.max(...columns)]).toEqual([0, 31, 0, 31]);
});

test('the hole is 8 pixels wide on CIFAR-100, 16 on CIFAR-10, 4 in a corner of the former', () => {
  const side = (dataset: string): number[] => {
    const { boxes } = cutout.draw(drawContext(5000, { settings: schemeSettings(datasetInfo(dataset)) }));
    const heights = Array.from({ length: 5000 }, (_, i) => boxes[4 * i + 2]! - boxes[4 * i]!);
    return [Math.min(...heights), Math.max(...heights)];
  };
  expect(side('cifar100')).toEqual([4, 8]);
  expect(side('cifar10')).toEqual([8, 16]);
});

test('rows and columns of an image that is not square', () => {
  const { boxes } = cutout.draw(drawContext(3000, { height: 16, width: 40, settings: { padding: 2, cutout: 4 } }));
  const { rows, columns } = centres(boxes, 4);
  expect([Math.max(...rows), Math.max(...columns)]).toEqual([15, 39]);
});

test('the hole is 0 in normalised space, all else is x', () => {
  tidy(() => {
    const view = batchView(16, { size: 32 });
    const drawn = cutout.draw(drawContext(16));
    const made = cutout.apply(view, drawn);
    for (let i = 0; i < 16; i++) {
      const [top, left, bottom, right] = drawn.boxes.subarray(4 * i, 4 * i + 4) as unknown as [
        number,
        number,
        number,
        number,
      ];
      const hole = made
        .select(0, i)
        .narrow(1, top, bottom - top)
        .narrow(2, left, right - left);
      expect(hole.abs().sum().item()).toBe(0);
      const changed = made.select(0, i).ne(view.x.select(0, i)).sum().item();
      expect(changed).toBe(3 * (bottom - top) * (right - left));
    }
  });
});
