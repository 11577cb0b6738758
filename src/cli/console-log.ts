/** @file What a run says is kept in its folder too: console.log, without the lines that were drawn over. */
import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

export const CONSOLE_LOG = 'console.log';

/** What stays on the screen of a text that was written to it: lines that end, as they were at last. */
export class LastingLines {
  #open = '';

  /** The whole lines that became final with this text. */
  take(text: string): string[] {
    const parts = (this.#open + text).split('\n');
    this.#open = parts.pop() ?? '';
    return parts.map((line) => stripVTControlCharacters(line.slice(line.lastIndexOf('\r') + 1)).trimEnd());
  }
}

type Stream = Pick<NodeJS.WriteStream, 'write'>;

/**
 * From here on, what is written to `stream` is also kept in a run's folder, appended where there is a log. Nothing is lost if the
 * folder cannot be written: the run itself says so. Lines before the folder exists wait for it. Returns what ends it.
 */
export function keepConsole(folder: string, stream: Stream = process.stderr): () => void {
  const original = stream.write;
  const lines = new LastingLines();
  let waiting: string[] = [];
  const flush = (): void => {
    // A folder without a record is no run, or not yet: it is not kept for what was said about it.
    if (waiting.length === 0 || !existsSync(join(folder, 'config.json'))) return;
    try {
      appendFileSync(join(folder, CONSOLE_LOG), waiting.map((line) => `${line}\n`).join(''));
      waiting = [];
    } catch {
      // No folder yet, or none that can be written to.
    }
  };
  const write = function (this: Stream, ...args: Parameters<Stream['write']>): boolean {
    waiting.push(...lines.take(String(args[0])));
    flush();
    return original.apply(stream, args);
  };
  stream.write = write as Stream['write'];
  return () => {
    flush();
    stream.write = original;
  };
}
