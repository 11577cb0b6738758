/** @file `thrive setup`: what `npm run setup` is in a checkout, for where Thrive is a dependency. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Command } from 'commander';
import { packageRoot } from '../../../native/build/current.mjs';
import { exitCodes } from '../output.ts';

interface SetupFlags {
  force?: boolean;
  quiet?: boolean;
  install: boolean;
}

export function registerSetup(program: Command): void {
  program
    .command('setup')
    .description("Build the native addon for this machine's libtorch; installs libtorch where it may, else says how")
    .option('--force', 'compile everything again')
    .option('--quiet', 'print errors only')
    .option('--no-install', 'install nothing on the system: say what is missing')
    .addHelpText('after', '\nExamples:\n  npx thrive setup\n  LIBTORCH_USE_PYTORCH=1 npx thrive setup')
    .action(({ force, quiet, install }: SetupFlags) => {
      const script = join(packageRoot, 'scripts/setup.mjs');
      const flags = [
        ...(force ? ['--force'] : []),
        ...(quiet ? ['--quiet'] : []),
        ...(install ? [] : ['--no-install']),
      ];
      // A process of its own: a build may take minutes and must end with Ctrl-C.
      const { status } = spawnSync(process.execPath, [script, ...flags], { stdio: 'inherit' });
      if (status !== 0) process.exitCode = status ?? exitCodes.failure;
    });
}
