/** @file The table of settings as a page of documentation and as a JSON schema for editors. */
import { z } from 'zod';
import { flagName } from '../base/speech.ts';
import { defaultText, groups, type Setting, type Table, type World } from './row.ts';
import { settings } from './settings.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

/** Where a setting belongs, beside its default: what a reader has to know of it. */
function remarks({ task, scope, required }: Setting): string {
  return [
    required ? 'required' : '',
    task ? `\`thrive ${task}\` alone` : '',
    scope === 'machine' ? 'of the machine: may change on resume' : '',
    scope === 'seed' ? 'tells repetitions apart' : '',
  ]
    .filter(Boolean)
    .join('; ');
}

function rowOf(key: string, row: Setting, world: World): string {
  const flag = row.value === null ? '' : `\`${flagName(key)}${row.value ? ` ${row.value}` : ''}\``;
  const names = row.names?.(world);
  const help =
    names && !names.every((name) => row.help.includes(name)) ? `${row.help} (${names.join(', ')})` : row.help;
  return `| \`${key}\` | ${flag} | ${cell(help)} | ${cell(defaultText(row) ?? '')} | ${remarks(row)} |`;
}

/** docs/configuration.md: every setting, in the groups of --help. */
export function configurationPage(world: World, table: Table = settings): string {
  const sections = groups.flatMap((group) => {
    const rows = Object.entries(table).filter(([, row]) => row.group === group);
    if (rows.length === 0) return [];
    return [
      `## ${group}\n`,
      '| key | flag | what it does | default | |',
      '| --- | --- | --- | --- | --- |',
      ...rows.map(([key, row]) => rowOf(key, row, world)),
      '',
    ];
  });
  return `${[
    '# Configuration\n',
    'Every setting of a run, by its key in a configuration file or in code, and by its flag. This page is made from',
    '`src/config/settings` by `npm run docs`.\n',
    "A file is TypeScript, JavaScript or JSON: `thrive distill --config kd.json`, with flags over it. A run's own `config.json` is one.",
    'What a file does not say is the default; a setting that would change nothing beside the others is refused.\n',
    '```json',
    JSON.stringify(
      {
        $schema: './node_modules/thrive/docs/schema.json',
        data: 'cifar100',
        teacher: 'resnet56.pth',
        teacherModel: 'resnet56',
        student: 'resnet20',
        augment: 'cutmix',
        epochs: 40,
      },
      null,
      2,
    ),
    '```\n',
    ...sections,
  ].join('\n')}`;
}

/** docs/schema.json: completion and checks for JSON configurations in an editor. */
export function configurationSchema(table: Table = settings): unknown {
  const properties = Object.fromEntries(
    Object.entries(table).map(([key, row]) => {
      const { $schema: _, ...schema } = z.toJSONSchema(row.schema, { io: 'input', unrepresentable: 'any' });
      const usual = defaultText(row);
      return [key, { ...schema, description: usual === undefined ? row.help : `${row.help} (default: ${usual})` }];
    }),
  );
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Thrive configuration',
    type: 'object',
    properties: { $schema: { type: 'string' }, ...properties },
    additionalProperties: false,
  };
}
