import { readFileSync } from 'node:fs';
import { errorCode } from '../base/errors.ts';

/** The processor's feature flags as Linux lists them; empty elsewhere. */
export function cpuFlags(): Set<string> {
  try {
    const line = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'));
    return new Set(line?.[1]?.trim().split(/\s+/) ?? []);
  } catch (error) {
    if (errorCode(error)) return new Set();
    throw error;
  }
}

/**
 * Whether bfloat16 convolutions are fast on this CPU. oneDNN computes them with AMX or AVX-512 instructions; without,
 * libtorch falls back to a reference kernel that is many times slower than float32.
 */
export function bf16Support(flags = cpuFlags()): { fast: boolean; reason: string } {
  if (flags.has('amx_bf16')) return { fast: true, reason: 'fast: AMX' };
  if (flags.has('avx512_bf16')) return { fast: true, reason: 'fast: AVX-512 BF16' };
  if (flags.has('avx512bw') && flags.has('avx512vl') && flags.has('avx512dq')) {
    return { fast: true, reason: 'emulated with AVX-512: saves memory, about as fast as fp32' };
  }
  return { fast: false, reason: 'this CPU has no bfloat16 or AVX-512 instructions' };
}
