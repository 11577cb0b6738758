/** @file `thrive methods`, `thrive augmentations`, `thrive criteria`: what there is by name, or in a file, with options and papers. */
import type { Command } from 'commander';
import type { OptionSpecs } from '../../base/options.ts';
import { result, table } from '../output.ts';

interface PartFlags {
  json?: boolean;
}

/** What is told of a part. */
export interface ToldPart {
  name: string;
  aliases: string[];
  /** Who proposed it. */
  source: string;
  options: { name: string; default: unknown; rule: string; description: string }[];
  /** What this kind has beside: a loss's weight, what a criterion needs. */
  [more: string]: unknown;
}

/** A part's options, as people and programs are told of them. */
function toldOptions(specs: OptionSpecs): ToldPart['options'] {
  return Object.entries(specs).map(([name, { default: value, rule, description }]) => ({
    name,
    default: value,
    rule,
    description,
  }));
}

const written = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** The parts of a kind, or those that are named: names that are here and files. */
export async function toldParts(
  kind: 'loss' | 'augmentation' | 'criterion',
  names: readonly string[],
): Promise<ToldPart[]> {
  const { loadPart } = await import('../../parts/index.ts');
  for (const name of names) await loadPart(kind, name);
  if (kind === 'loss') {
    const { findLoss, lossNames } = await import('../../distill/losses/index.ts');
    return (names.length > 0 ? names : lossNames).map(findLoss).map((loss) => ({
      name: loss.name,
      aliases: [...loss.aliases],
      source: loss.paper,
      equation: loss.equation,
      compares: loss.taps,
      weight: loss.weight,
      gamma: loss.gamma,
      options: toldOptions(loss.options),
    }));
  }
  if (kind === 'augmentation') {
    const { schemeByName, schemeNames } = await import('../../augment/index.ts');
    return (names.length > 0 ? names : schemeNames)
      .map((name) => schemeByName(name))
      .map(({ name, source, mixes, options }) => ({ name, aliases: [], source, mixes, options: toldOptions(options) }));
  }
  const { criteria, findCriterion } = await import('../../distill/pick/index.ts');
  return (names.length > 0 ? names : criteria).map(findCriterion).map(({ name, source, measures, needs, options }) => ({
    name,
    aliases: [],
    source,
    measures,
    needs,
    options: toldOptions(options),
  }));
}

/** Each part with its options below it. */
function describe(parts: readonly ToldPart[], flag: string): string {
  const rows = parts.flatMap(({ name, aliases, source, options }) => [
    [[name, ...aliases].join(', '), '', source],
    ...options.map((option) => [
      `  ${name}.${option.name}`,
      option.default === null ? '' : written(option.default),
      `${option.description} (${option.rule})`,
    ]),
  ]);
  return `${table(['name, options', 'default', 'proposed by; what it does'], rows)}\nan option is chosen by ${flag} NAME.OPTION=VALUE`;
}

const commands = [
  {
    name: 'methods',
    kind: 'loss',
    flag: '--method-option',
    description: 'The distillation losses, with their options and papers; or those of your own files',
    example: 'thrive methods crd ./my-loss.ts',
  },
  {
    name: 'augmentations',
    kind: 'augmentation',
    flag: '--augment-option',
    description: 'The augmentations, with their options and papers; or those of your own files',
    example: 'thrive augmentations cutmix ./my-augmentation.ts',
  },
  {
    name: 'criteria',
    kind: 'criterion',
    flag: '--pick-option',
    description: 'What images can be picked by, with options and papers; or by the criteria of your own files',
    example: 'thrive criteria kl ./my-criterion.ts',
  },
] as const;

export function registerParts(program: Command): void {
  for (const { name, kind, flag, description, example } of commands) {
    program
      .command(name)
      .description(description)
      .argument('[names...]', 'these alone: names, or paths of files that export one')
      .option('--json', 'print one JSON object')
      .addHelpText('after', `\nExamples:\n  thrive ${name}\n  ${example} --json`)
      .action(async (names: string[], flags: PartFlags) => {
        const parts = await toldParts(kind, names);
        result(flags.json, { [name]: parts }, () => describe(parts, flag));
      });
  }
}
