import type { Libtorch } from './locate.mjs';

/** What a build was made of: build/current.json. */
export interface BuildInfo {
  /** Folder of this build under the build folder. */
  key: string;
  /** The addon, relative to the build folder. */
  addon: string;
  /** Of native/*.cc and the headers they include. */
  sourceHash: string;
  libtorch: Pick<Libtorch, 'source' | 'root' | 'libDir' | 'version' | 'identity' | 'cxx11Abi'> & {
    /** The version that the loaded library reports. */
    loaded: string;
    /** Whether CUDA's libraries were linked; false where they are installed but could not be loaded. */
    cuda: boolean;
  };
  compiler: { command: string; kind: string; version: string };
  /** Version of node-api-headers. */
  nodeApi: string;
  flags: string[];
  linkFlags: string[];
  seconds: number;
  /** Something the person should know, or empty. */
  note: string;
}

export type Describable = Pick<Libtorch, 'version' | 'root' | 'source' | 'cuda'>;

/** Root of the package: the folder with package.json. */
export const packageRoot: string;
export function buildDirOf(env?: Record<string, string | undefined>): string;
export function currentBuild(buildDir?: string): BuildInfo | undefined;
export function writeJson(path: string, value: unknown): void;
export function describeLibtorch(libtorch: Describable): string;
