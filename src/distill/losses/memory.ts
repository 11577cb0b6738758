import { freemem } from 'node:os';
import { UserError } from '../../base/errors.ts';

/** 51,200,000 as "51 MB". */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  const value = bytes / 1000 ** power;
  return `${value >= 100 || power === 0 ? value.toFixed(0) : value.toPrecision(2)} ${units[power]}`;
}

/** Bytes this process may still allocate, as far as the system tells: its limit (a container's) or the machine's free memory. */
export function availableMemory(): number {
  const limited = process as typeof process & { availableMemory?: () => number };
  return limited.availableMemory?.() ?? freemem();
}

/**
 * Refuse an allocation that would not fit, before it is made. `what` is a sentence's beginning: "crd's memories need".
 *
 * @throws UserError with what it is for and how much it needs
 */
export function checkMemory(what: string, bytes: number, hint: string, available = availableMemory()): void {
  if (bytes <= available) return;
  throw new UserError(`${what} ${formatBytes(bytes)}, and ${formatBytes(available)} are free`, { hint });
}
