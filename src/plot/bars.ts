/** @file A horizontal bar plot in characters, for terminals. */

export interface Bar {
  label: string;
  /** From 0 up. */
  value: number;
  /** What stands behind the bar; the value as it prints by itself unless given. */
  text?: string;
  /** A value to compare with, marked on the bar's line. */
  reference?: number | undefined;
}

export interface BarOptions {
  /** Characters a line may have. Default 80. */
  width?: number;
  /** How a reference is marked. Default `│`. */
  mark?: string;
}

/** Eighths of a character, from empty to one short of full. */
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** Fewer characters tell no bars apart: labels are cut before a bar is. */
const LEAST_BAR = 10;

function clip(label: string, width: number): string {
  const letters = [...label];
  return letters.length <= width ? label : `${letters.slice(0, Math.max(0, width - 1)).join('')}…`;
}

/**
 * One line a bar: label, bar, text. All begin at 0 and share the scale on which the largest value or reference fills the room;
 * a bar is good to an eighth of a character. Lines fit `width` where it leaves a label of one letter and ten characters of bar.
 */
export function bars(items: readonly Bar[], { width = 80, mark = '│' }: BarOptions = {}): string[] {
  if (items.length === 0) return [];
  for (const { label, value, reference = 0 } of items) {
    if (!(Number.isFinite(value) && value >= 0 && Number.isFinite(reference) && reference >= 0)) {
      throw new RangeError(`a bar is a finite number from 0 up; '${label}' is ${value}, its reference ${reference}`);
    }
  }
  const texts = items.map(({ text, value }) => text ?? String(value));
  const textWidth = Math.max(...texts.map((text) => [...text].length));
  const longest = Math.max(...items.map(({ label }) => [...label].length));
  const labelWidth = Math.max(1, Math.min(longest, width - textWidth - 2 - LEAST_BAR));
  const room = Math.max(LEAST_BAR, width - labelWidth - textWidth - 2);
  const most = Math.max(...items.flatMap(({ value, reference = 0 }) => [value, reference]));
  return items.map(({ label, value, reference }, i) => {
    const eighths = most > 0 ? Math.round((8 * room * value) / most) : 0;
    const cells = [...'█'.repeat(Math.floor(eighths / 8)), ...(eighths % 8 ? [EIGHTHS[eighths % 8]!] : [])];
    while (cells.length < room) cells.push(' ');
    if (reference !== undefined && most > 0) cells[Math.min(room - 1, Math.floor((room * reference) / most))] = mark;
    return `${clip(label, labelWidth).padEnd(labelWidth)} ${cells.join('')} ${texts[i]!.padStart(textWidth)}`;
  });
}
