import type { Precision } from '../nn/precision.ts';

/**
 * Whether images and weights should lie channels-last. oneDNN and tensor cores want it for mixed precision. In float32 on
 * a CPU it saves the reorders between layouts as well: measured in docs/performance.md.
 */
export function prefersChannelsLast(precision: Precision, device: string): boolean {
  return precision === 'bf16' || device === 'cpu';
}
