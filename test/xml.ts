/** @file A strict reader of XML documents for tests: what is not well-formed throws. Knows elements, attributes, text, references. */

export interface XmlElement {
  name: string;
  attributes: Record<string, string>;
  children: XmlElement[];
  text: string;
}

const NAME = '[A-Za-z_][\\w.:-]*';

const forbidden =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what XML forbids
  /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

function decode(text: string): string {
  if (forbidden.test(text)) throw new Error(`forbidden character in ${JSON.stringify(text)}`);
  return text.replace(/&(#\d+;|#x[\da-f]+;|amp;|lt;|gt;|quot;|apos;)?/gi, (_, reference: string | undefined) => {
    if (!reference) throw new Error(`bare & in ${JSON.stringify(text)}`);
    const named: Record<string, string> = { 'amp;': '&', 'lt;': '<', 'gt;': '>', 'quot;': '"', 'apos;': "'" };
    if (named[reference]) return named[reference];
    const code =
      reference[1] === 'x' ? Number.parseInt(reference.slice(2), 16) : Number.parseInt(reference.slice(1), 10);
    return String.fromCodePoint(code);
  });
}

/** The root element of a document. */
export function parseXml(document: string): XmlElement {
  let rest = document.replace(/^<\?xml version="1\.0"( encoding="UTF-8")?\?>\s*/, '');
  const open: XmlElement[] = [{ name: '', attributes: {}, children: [], text: '' }];
  const tag = new RegExp(`^<(/?)(${NAME})((?:\\s+${NAME}\\s*=\\s*(?:"[^"<]*"|'[^'<]*'))*)\\s*(/?)>`);
  while (rest !== '') {
    const here = open.at(-1)!;
    if (rest[0] !== '<') {
      const end = rest.indexOf('<');
      const text = decode(end < 0 ? rest : rest.slice(0, end));
      if (open.length === 1 && text.trim() !== '') throw new Error(`text outside the root: ${text}`);
      here.text += text;
      rest = end < 0 ? '' : rest.slice(end);
      continue;
    }
    const found = tag.exec(rest);
    if (!found) throw new Error(`no tag: ${rest.slice(0, 80)}`);
    const [all, closing, name = '', attributes = '', empty] = found;
    rest = rest.slice(all.length);
    if (closing) {
      if (here.name !== name) throw new Error(`</${name}> closes <${here.name}>`);
      open.pop();
      continue;
    }
    const element: XmlElement = { name, attributes: {}, children: [], text: '' };
    for (const [, key = '', , double, single] of attributes.matchAll(
      new RegExp(`(${NAME})\\s*=\\s*("([^"]*)"|'([^']*)')`, 'g'),
    )) {
      if (key in element.attributes) throw new Error(`${key} twice in <${name}>`);
      element.attributes[key] = decode(double ?? single ?? '');
    }
    here.children.push(element);
    if (!empty) open.push(element);
  }
  const [root] = open[0]!.children;
  if (open.length !== 1 || !root || open[0]!.children.length !== 1) throw new Error('not one whole root element');
  return root;
}

/** Every element below `root`, and itself, that `keep` accepts. */
export const elements = (root: XmlElement, keep: (element: XmlElement) => boolean): XmlElement[] => [
  ...(keep(root) ? [root] : []),
  ...root.children.flatMap((child) => elements(child, keep)),
];
