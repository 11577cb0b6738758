/** @file Networks as text, laid out like PyTorch's `print(model)`. */

/** What is printed of a module. */
export interface Printable {
  children(): Iterable<[path: string, child: Printable]>;
  /** What stands between the brackets. */
  extraRepr(): string;
}

/** A number as Python prints a float: 0.1, but 1e-05. */
export function pythonNumber(value: number): string {
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-4 && size < 1e16)) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}

const indent = (text: string): string => text.replaceAll('\n', '\n  ');

/** `name(` lines `)` with the lines indented, on one line where there is only the description. */
function bracket(name: string, description: string, children: string[]): string {
  if (children.length === 0) return `${name}(${description})`;
  const lines = description ? [description, ...children] : children;
  return `${name}(\n${lines.map((line) => `  ${indent(line)}`).join('\n')}\n)`;
}

/** A module and all below it. An array of modules is shown as the ModuleList it stands for. */
export function printModule(module: Printable): string {
  const lines: string[] = [];
  const lists = new Map<string, string[]>();
  for (const [path, child] of module.children()) {
    const dot = path.indexOf('.');
    const text = printModule(child);
    if (dot === -1) {
      lines.push(`(${path}): ${text}`);
      continue;
    }
    const name = path.slice(0, dot);
    const items = lists.get(name);
    const item = `(${path.slice(dot + 1)}): ${text}`;
    if (items) {
      items.push(item);
    } else {
      const made = [item];
      lists.set(name, made);
      lines.push(name); // its place; filled in below, when the list is complete
    }
  }
  const filled = lines.map((line) => {
    const items = lists.get(line);
    return items ? `(${line}): ${bracket('ModuleList', '', items)}` : line;
  });
  return bracket(module.constructor.name, module.extraRepr(), filled);
}
