import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { configurationPage, configurationSchema } from './reference.ts';
import { type Setting, setting } from './row.ts';
import { configKeys, settings } from './settings.ts';
import * as world from './world.ts';

const read = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
const madeUp: Record<string, Setting> = {
  ...settings,
  sparkle: setting(z.number(), {
    group: 'Measuring',
    help: 'how much it sparkles',
    value: '<n>',
    default: 3,
    scope: 'machine',
  }),
};

test('docs/configuration.md and docs/schema.json are what the table says: npm run docs', () => {
  expect(read('configuration.md')).toBe(configurationPage(world));
  expect(JSON.parse(read('schema.json'))).toEqual(configurationSchema());
});

test('every setting has its row on the page and its property in the schema', () => {
  const page = configurationPage(world);
  const { properties } = configurationSchema() as { properties: Record<string, { description: string }> };
  for (const key of configKeys) {
    expect(page).toContain(`| \`${key}\` |`);
    expect(properties[key]?.description).toContain(settings[key].help);
  }
});

test('a made-up setting is on the page and in the schema', () => {
  expect(configurationPage(world, madeUp)).toContain(
    '| `sparkle` | `--sparkle <n>` | how much it sparkles | 3 | of the machine: may change on resume |',
  );
  expect(configurationSchema(madeUp)).toMatchObject({
    properties: { sparkle: { type: 'number', description: 'how much it sparkles (default: 3)' } },
  });
});
