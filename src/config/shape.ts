/** @file The shape of what is written, setting by setting; loads nothing of what settings choose from. */
import { UserError } from '../base/errors.ts';
import { complain, shown, unknownSetting } from './errors.ts';
import { formerNames } from './legacy.ts';
import type { Table } from './row.ts';
import { settings } from './settings.ts';
import { type Dict, isDict } from './values.ts';

/**
 * What is written, with its shape checked setting by setting.
 *
 * @throws UserError naming every setting that is unknown or of a wrong shape
 */
export function checkShape(input: unknown, table: Table = settings): Dict {
  if (!isDict(input)) throw new UserError(`a configuration is an object, not ${shown(input)}`);
  const written: Dict = {};
  const wrong: string[] = [];
  const unknown: string[] = [];
  for (const [key, value] of Object.entries(input)) {
    const row = Object.hasOwn(table, key) ? table[key] : undefined;
    if (value === undefined || key === '$schema') continue;
    if (!row) {
      unknown.push(unknownSetting(key, Object.keys(table), formerNames));
      continue;
    }
    const parsed = row.schema.safeParse(value);
    if (parsed.success) written[key] = parsed.data;
    else wrong.push(...parsed.error.issues.map((issue) => complain(key, issue, value)));
  }
  if (wrong.length + unknown.length === 0) return written;
  throw new UserError([...unknown, ...wrong].join('\n'), {
    ...(unknown.length > 0 ? { hint: `known settings: ${Object.keys(table).join(', ')}` } : {}),
  });
}
