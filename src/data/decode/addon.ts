import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { buildDirOf } from '../../../native/build/current.mjs';

/** The decoder of native/decode: libjpeg-turbo and a resizer, without libtorch. `geometry` comes from `decoderGeometry`. */
export interface DecodeAddon {
  /** [width, height, components, EXIF orientation or 0, 1 where the end marker is there, 1 if progressive] */
  header(jpeg: Uint8Array): number[];
  /**
   * Decode what a crop needs into `out`; returns how often libjpeg warned. `gap`: decode at 1/2, 1/4 or 1/8 where the region
   * stays that many times larger than the result; 0 never does.
   */
  decode(jpeg: Uint8Array, out: Uint8Array, geometry: Float64Array, gap: number): number;
  /** The same of interleaved RGB. */
  resample(rgb: Uint8Array, width: number, height: number, out: Uint8Array, geometry: Float64Array): void;
}

let loaded: DecodeAddon | null | undefined;

/** The decoder, or null where it is not built: then every image goes through sharp. Loads no libtorch. */
export function decodeAddon(): DecodeAddon | null {
  if (loaded !== undefined) return loaded;
  loaded = null;
  if (process.env.THRIVE_DECODER === 'sharp') return loaded;
  try {
    const { addon } = JSON.parse(readFileSync(join(buildDirOf(), 'decoder.json'), 'utf8')) as { addon: string };
    const path = join(buildDirOf(), addon);
    if (existsSync(path)) loaded = createRequire(import.meta.url)(path) as DecodeAddon;
  } catch {
    // Not built, or of another machine.
  }
  return loaded;
}
