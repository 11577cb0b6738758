// From a fresh clone to a working `thrive`: packages, libtorch, the native addon, compiled TypeScript. Every step does
// nothing when there is nothing to do, and nothing touches the network then.
//   node scripts/setup.mjs [--quiet] [--force] [--no-install]
// Node built-ins only, and this file's syntax is old on purpose: an old Node.js must be able to say that it is too old.
import { readFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const [major, minor] = manifest.engines.node
  .replace(/[^\d.]/g, '')
  .split('.')
  .map(Number);
const [actualMajor, actualMinor] = process.versions.node.split('.').map(Number);
if (process.platform === 'win32') {
  console.error('setup: there is no build for Windows: use the Windows Subsystem for Linux (WSL)');
  process.exitCode = 1;
} else if (Number(actualMajor) < major || (actualMajor === major && Number(actualMinor) < minor)) {
  console.error(
    `setup: Node.js ${major}.${minor} or later is needed; this is ${process.version} (${process.execPath})`,
  );
  process.exitCode = 1;
} else {
  import('./steps.mjs').then(async ({ setup }) => {
    process.exitCode = await setup(process.argv.slice(2));
  });
}
