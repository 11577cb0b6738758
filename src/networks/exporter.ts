/** @file What a writer of networks is given, whatever the format. */
import type { StoredTensors } from '../formats/index.ts';
import type { NetworkInfo } from '../train/checkpoint.ts';
import type { LoadedNetwork } from './load-network.ts';

/** What a writer works from. */
export interface ExportSource {
  /** The checkpoint. */
  path: string;
  /** The network's own weights and buffers in state-dict order, without what an optimizer left. */
  tensors: StoredTensors;
  /** What the checkpoint says of its network, if it was written here. */
  info: NetworkInfo | null;
  /** Metadata or scalars beside the weights. */
  extra: Record<string, unknown>;
  /** The network itself, for formats that need more than weights. The caller disposes it. */
  load(): Promise<LoadedNetwork>;
}

/** Writes `out` and returns what is worth telling beside size and path. */
export type Exporter = (source: ExportSource, out: string, options: ExportOptions) => Promise<Record<string, unknown>>;

export interface ExportOptions {
  /** Where the ending of `out` does not say it. */
  format?: string;
  /** The file to write. By default the checkpoint's name with the ending of `format`. */
  out?: string;
  /** Architecture, where the file does not say it and the format needs it. */
  model?: string;
  /** Dataset whose classes and image size it is for, where the file does not say it and the format needs it. */
  data?: string;
  /** Of a .pth: the weights are put under this key of a dict, as many scripts have it, instead of being all there is. */
  key?: string;
  /** Of an .onnx: it takes pixels from 0 to 255 and normalises them itself. */
  normalize?: boolean;
}
