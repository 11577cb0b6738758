/** @file Flags of settings, from their rows. */
import { type Command, Option } from 'commander';
import { flagName } from '../base/speech.ts';
import { defaultText, groups, type Setting, type Table } from '../config/row.ts';
import { settings } from '../config/settings.ts';
import { checkShape } from '../config/shape.ts';
import { plain } from '../config/values.ts';

/** One flag. `more` is what a command says otherwise than a run does. */
function optionOf(key: string, row: Setting, more: Partial<Setting>): Option {
  const { help, value, read = plain, group } = { ...row, ...more };
  const usual = defaultText({ ...row, ...more });
  const text = usual === undefined ? help : `${help} (default: ${usual})`;
  const option = new Option(value ? `${flagName(key)} ${value}` : flagName(key), text).helpGroup(`${group}:`);
  return value ? option.argParser(read) : option;
}

/**
 * Add the flags of settings to a command: those named, or all of the table that belong to its task. They come in groups, those of a
 * first run on top.
 */
export function addSettings(
  command: Command,
  which: readonly string[] | 'train' | 'distill',
  { table = settings, more = {} }: { table?: Table; more?: Readonly<Record<string, Partial<Setting>>> } = {},
): Command {
  const keys =
    typeof which === 'string'
      ? Object.keys(table).filter((key) => (table[key]?.task ?? which) === which && table[key]?.value !== null)
      : which;
  const place = (key: string): number => groups.indexOf({ ...table[key], ...more[key] }.group ?? 'Machine');
  for (const key of [...keys].sort((a, b) => place(a) - place(b))) {
    const row = table[key];
    if (row) command.addOption(optionOf(key, row, more[key] ?? {}));
  }
  return command;
}

/** The settings among a command's flags. */
export function settingsOf(flags: Readonly<Record<string, unknown>>, table: Table = settings): Record<string, unknown> {
  return Object.fromEntries(Object.entries(flags).filter(([key]) => Object.hasOwn(table, key)));
}

/** The same, with their shapes checked: for commands that resolve no configuration. @throws UserError naming the flag */
export const checkedSettings = (flags: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  checkShape(settingsOf(flags));
