/** A libtorch that can be built against: headers and libraries are both there. */
export interface Libtorch {
  /** How it was found. */
  source: 'LIBTORCH' | 'LIBTORCH_USE_PYTORCH' | 'system';
  /** The folder that holds `include` and `lib`. */
  root: string;
  /** As it calls itself: `2.5.1`, `2.5.1+cu124`. */
  version: string | undefined;
  includeDirs: string[];
  libDir: string;
  /** Paths to link: torch_cpu, c10. */
  libraries: string[];
  /** Paths to link where present: torch_cuda, c10_cuda. Nothing refers to their symbols, so `--no-as-needed`. */
  cudaLibraries: string[];
  cuda: boolean;
  /** The OpenMP runtime shipped beside the libraries; the system's is used where there is none. */
  openmp: string | undefined;
  /** at::parallel_for is inline code with OpenMP pragmas. */
  usesOpenmp: boolean;
  /** libstdc++'s string layout, `_GLIBCXX_USE_CXX11_ABI`; undefined where it does not apply or was not seen. */
  cxx11Abi: 0 | 1 | undefined;
  /** The C++ standard its headers ask for. */
  cxxStandard: 17 | 20 | 23;
  /** Changes when the installed files do. */
  identity: string;
}

/** A place that was looked at and why it would not do. */
export interface Attempt {
  source: Libtorch['source'];
  where: string;
  reason: string;
}

export type Run = (
  command: string,
  args: string[],
  env?: Record<string, string | undefined>,
) => { status: number | null; stdout: string; error: string | undefined };

export interface LocateOptions {
  env?: Record<string, string | undefined>;
  platform?: NodeJS.Platform;
  arch?: string;
  /** Stands for `/` when looking for a system libtorch. */
  root?: string;
  run?: Run;
}

export function locateLibtorch(options?: LocateOptions): { libtorch: Libtorch | undefined; tried: Attempt[] };
export function describeAttempts(tried: Attempt[]): string[];
export function usesReferenceBlas(options?: { root?: string; arch?: string }): boolean;
export const runCommand: Run;
