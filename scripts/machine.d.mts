export type Missing = 'libtorch' | 'compiler' | 'blas';

export interface Machine {
  system: 'debian' | 'fedora' | 'arch' | 'suse' | 'alpine' | 'macos' | 'other';
  /** As the person knows it: `Debian GNU/Linux 12 (bookworm)`. */
  name: string;
  root: boolean;
  apt: boolean;
  sudo: boolean;
  brew: boolean;
  /** The variable by which the person chose a libtorch. */
  chosen: 'LIBTORCH' | 'LIBTORCH_USE_PYTORCH' | undefined;
  compilerChosen: boolean;
}

export function describeMachine(look?: {
  platform?: NodeJS.Platform;
  env?: Record<string, string | undefined>;
  uid?: number;
  osRelease?: string;
  has?: (command: string) => boolean;
}): Machine;
export function planInstall(missing: Missing[], machine: Machine): { apt?: string[] };
export function instructions(missing: Partial<Record<Missing, string>>, machine: Machine): string;
