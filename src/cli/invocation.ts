/** @file How `thrive` is called here, so that printed commands run as they are printed. */
import { accessSync, constants, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Whether a folder of the PATH holds the file that runs now, under the name `thrive`. */
function isOnPath(script: string, path: string): boolean {
  return path.split(delimiter).some((folder) => {
    const file = join(folder, 'thrive');
    try {
      accessSync(file, constants.X_OK);
      return realpathSync(file) === realpathSync(script);
    } catch {
      return false;
    }
  });
}

/**
 * `thrive` where a shell finds this program under that name, else `npx thrive`, as in a clone or in a project that depends on it.
 * npx puts node_modules/.bin on the PATH of what it runs; that is not the shell's.
 */
export function invocation(script = process.argv[1] ?? '', path = process.env.PATH ?? ''): string {
  const shell = path
    .split(delimiter)
    .filter((folder) => !/node_modules[\\/]\.bin[\\/]?$/.test(folder))
    .join(delimiter);
  return isOnPath(script, shell) ? 'thrive' : 'npx thrive';
}

/** A path or a value as a shell takes it. */
export const quoted = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** A command line that runs as it is printed. */
export const commandLine = (...words: readonly string[]): string => [invocation(), ...words.map(quoted)].join(' ');

/** A text that names commands of ours: `thrive eval …` as it has to be typed here. Names in prose stay. */
export const asTyped = (text: string): string =>
  text.replace(
    /(?<!npx )\bthrive (?=(?:train|distill|eval|export|import|models|data get|doctor|score|compare|show|sweep|predict|quickstart)\b)/g,
    `${invocation()} `,
  );
