/**
 * @file Operator schemas as types: the text libtorch registers an operator with, `aten::relu(Tensor self) -> Tensor`, gives
 * the TypeScript signature by itself, so the table in ops.ts is the only place an operator is described.
 */

type Plain<T extends string, Tensor> = T extends `Tensor${string}`
  ? Tensor
  : T extends 'int' | 'SymInt' | 'float' | 'ScalarType' | 'MemoryFormat' | 'Layout' | 'Generator'
    ? number
    : T extends 'Scalar'
      ? number | boolean
      : T extends 'bool'
        ? boolean
        : T extends 'str' | 'Device'
          ? string
          : never;

/** `int[2]` takes one number for both; `int[]` does not. */
type Value<T extends string, Tensor> = T extends `${infer U}(${string})${infer Tail}`
  ? Value<`${U}${Tail}`, Tensor>
  : T extends `${infer U}?[]`
    ? readonly (Plain<U, Tensor> | null)[]
    : T extends `${infer U}?`
      ? Value<U, Tensor> | null
      : T extends `${infer U}[]`
        ? readonly Plain<U, Tensor>[]
        : T extends `${infer U}[${string}]`
          ? Plain<U, Tensor> | readonly Plain<U, Tensor>[]
          : Plain<T, Tensor>;

type Push<Done extends unknown[], Text extends string, Tensor> = Text extends `${infer Type} ${infer Name}`
  ? Name extends `${string}=${string}`
    ? [...Done, Value<Type, Tensor>?]
    : [...Done, Value<Type, Tensor>]
  : Done; // the `*` before keyword-only arguments

type Parameters<Text extends string, Tensor, Done extends unknown[] = []> = Text extends `${infer First}, ${infer Rest}`
  ? Parameters<Rest, Tensor, Push<Done, First, Tensor>>
  : Push<Done, Text, Tensor>;

type Results<Text extends string, Tensor, Done extends unknown[] = []> = Text extends `${infer First}, ${infer Rest}`
  ? Results<Rest, Tensor, [...Done, Result<First, Tensor>]>
  : [...Done, Result<Text, Tensor>];

type Result<Text extends string, Tensor> = Text extends '()'
  ? undefined
  : Text extends `(${infer Items})`
    ? Results<Items, Tensor>
    : Text extends `${infer Type} ${string}` // a result may have a name
      ? Result<Type, Tensor>
      : Text extends `Tensor${infer Tail}`
        ? Tail extends `${string}[]`
          ? Tensor[]
          : Tensor
        : Text extends 'bool'
          ? boolean
          : Text extends 'str'
            ? string
            : number;

/** The function type of an operator's schema; arguments are positional, keyword-only ones last. */
export type OperatorFunction<Schema extends string, Tensor> = Schema extends `${string}(${infer Rest}`
  ? Rest extends `${infer Inside}) -> ${infer Returned}`
    ? (...values: Parameters<Inside, Tensor>) => Result<Returned, Tensor>
    : never
  : never;

export interface SchemaArgument {
  name: string;
  type: string;
  hasDefault: boolean;
  /** The default's text, as the schema writes it: `1`, `None`, `[]`. */
  defaultText?: string;
}

export interface ParsedSchema {
  name: string;
  arguments: SchemaArgument[];
  returns: string[];
}

/** Split at commas outside brackets and quotes. */
function splitTop(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (quote) quote = c === quote ? '' : quote;
    else if (c === '"' || c === "'") quote = c;
    else if (c === '(' || c === '[') depth++;
    else if (c === ')' || c === ']') depth--;
    else if (c === ',' && depth === 0) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  const last = text.slice(start).trim();
  return last ? [...parts, last] : parts;
}

/** Types that differ between libtorch versions in spelling only. */
const normalType = (type: string): string =>
  type
    .replace(/\([a-z]!?(\s*->\s*\*)?\)/g, '')
    .replace(/^SymInt/, 'int')
    .replace(/^(ScalarType|MemoryFormat|Layout)/, 'int');

/** An operator's schema text taken apart, for comparing our table with the libtorch that is loaded. */
export function parseSchema(schema: string): ParsedSchema {
  const arrow = schema.lastIndexOf(' -> ');
  const open = schema.indexOf('(');
  if (arrow < 0 || open < 0) throw new Error(`not an operator schema: ${schema}`);
  const inside = schema.slice(open + 1, schema.lastIndexOf(')', arrow));
  const parsed = splitTop(inside)
    .filter((part) => part !== '*')
    .map((part) => {
      const space = part.replace(/=.*$/s, '').lastIndexOf(' ');
      const [name = '', defaultText] = part.slice(space + 1).split('=');
      const type = normalType(part.slice(0, space));
      return { name, type, hasDefault: part.includes('='), ...(defaultText === undefined ? {} : { defaultText }) };
    });
  const returned = schema.slice(arrow + 4).trim();
  const list = returned.startsWith('(') ? splitTop(returned.slice(1, -1)) : [returned];
  return {
    name: schema.slice(0, open),
    arguments: parsed,
    returns: list.map((part) => normalType(part.split(' ')[0]!)),
  };
}

const listed = (schema: ParsedSchema): string =>
  schema.arguments.map((a) => `${a.type} ${a.name}${a.hasDefault ? '=…' : ''}`).join(', ');

/**
 * Why a call written for the schema `declared` would not work with the schema `actual` of the libtorch that is loaded; empty
 * if it would. A later libtorch may spell types otherwise and append arguments that have defaults.
 */
export function schemaDifferences(declared: string, actual: string): string[] {
  const ours = parseSchema(declared);
  const theirs = parseSchema(actual);
  const found: string[] = [];
  if (ours.name !== theirs.name) found.push(`the name is ${theirs.name}, not ${ours.name}`);
  for (const [i, argument] of ours.arguments.entries()) {
    const other = theirs.arguments[i];
    if (!other) {
      found.push(`there is no argument ${i + 1} '${argument.name}' in (${listed(theirs)})`);
      continue;
    }
    const where = `argument ${i + 1}`;
    if (other.name !== argument.name) found.push(`${where} is '${other.name}', not '${argument.name}'`);
    if (other.type !== argument.type) found.push(`${where} '${argument.name}' is ${other.type}, not ${argument.type}`);
    if (other.hasDefault !== argument.hasDefault) {
      found.push(`${where} '${argument.name}' has ${other.hasDefault ? 'a' : 'no'} default`);
    }
  }
  for (const extra of theirs.arguments.slice(ours.arguments.length)) {
    if (!extra.hasDefault) found.push(`there is a further argument '${extra.name}' without a default`);
  }
  if (ours.returns.join() !== theirs.returns.join()) {
    found.push(`it returns (${theirs.returns.join(', ')}), not (${ours.returns.join(', ')})`);
  }
  return found;
}
