/** @file `thrive serve`: the dashboard. */
import type { Command } from 'commander';
import { integer } from '../flags.ts';
import { result, say } from '../output.ts';

interface ServeFlags {
  host?: string;
  port?: number;
  json?: boolean;
}

async function execute(folders: string[], flags: ServeFlags): Promise<void> {
  const { startServer } = await import('../../serve/start.ts');
  const { host, port, json } = flags;
  const serving = await startServer({
    folders: folders.length > 0 ? folders : ['runs'],
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
  });
  if (host !== undefined && !['127.0.0.1', 'localhost', '::1'].includes(host)) {
    say(`note: everyone who reaches ${host} can read these runs; starting work needs the token in the address`);
  }
  result(json, { url: serving.url, port: serving.port, folders: serving.index.roots }, () => serving.url);
  say('Ctrl-C ends it');
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  await serving.close();
}

export function registerServe(program: Command): void {
  program
    .command('serve')
    .description('The dashboard: runs as they train, compared, with what augmentations do and where students err')
    .argument('[folders...]', 'run folders, or folders that hold some (default: runs)')
    .option('--port <n>', 'port; 0 for any that is free (default: 6007)', integer)
    .option(
      '--host <address>',
      "address to listen at; others than this machine's own let others read (default: 127.0.0.1)",
    )
    .option('--json', 'print one JSON object with the address on standard output, everything else on standard error')
    .addHelpText(
      'after',
      `
Reads run folders and changes nothing in them. The address that is printed carries a token, without which a page can look but
start no work. On another machine: ssh -L 6007:127.0.0.1:6007 MACHINE, then open the address here.

Examples:
  thrive serve
  thrive serve runs ~/more-runs --port 0`,
    )
    .action(execute);
}
