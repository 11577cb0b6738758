/** @file Numbers as they are read: few digits, real minus signs, a dash for what is not there. */

export const NONE = '–';

export const fixed = (value: number | null | undefined, digits = 2): string =>
  value === null || value === undefined || !Number.isFinite(value)
    ? NONE
    : Math.abs(value) >= 1e9
      ? value.toExponential(2)
      : value.toFixed(digits).replace('-', '−');

export const signed = (value: number | null, digits = 2): string =>
  value === null || !Number.isFinite(value) ? NONE : `${value > 0 ? '+' : ''}${fixed(value, digits)}`;

/** Any size of number, to about four digits. */
export function compact(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e9)) return value.toExponential(2).replace('-', '−');
  if (size >= 1e6) return `${(value / 1e6).toPrecision(3)} M`;
  if (size >= 1e4) return Math.round(value).toLocaleString('en-US');
  return Number(value.toPrecision(4)).toString().replace('-', '−');
}

export function duration(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return NONE;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
  if (whole < 86_400)
    return `${Math.floor(whole / 3600)} h ${String(Math.floor(whole / 60) % 60).padStart(2, '0')} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor(whole / 3600) % 24} h`;
}

export function bytes(size: number): string {
  if (size < 1000) return `${size} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let [value, unit] = [size / 1000, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${value.toPrecision(3)} ${units[unit]}`;
}

export const percent = (p: number): string => (p < 0.0001 ? '< 0.0001' : p.toPrecision(2));

export const plural = (count: number, one: string): string =>
  `${count.toLocaleString('en-US')} ${one}${count === 1 ? '' : 's'}`;

/** When it began, in the reader's words. */
export function when(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime())
    ? NONE
    : date.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}
