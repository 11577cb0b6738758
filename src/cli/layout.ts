/** @file Text within a terminal's width: lines are broken between words, never within one. */

/** The width to keep to; undefined where the output is a file or a pipe, which have none. */
export function terminalWidth(stream: { isTTY?: boolean; columns?: number } = process.stdout): number | undefined {
  return stream.isTTY ? stream.columns || 80 : undefined;
}

/** Where a text may be broken: after a space (not before a %), a plus, a comma or a slash. What no line can hold is cut off with an ellipsis. */
const pieces = (text: string): string[] => text.match(/(?: %|[^\s+,/])*[\s+,/]+|(?: %|[^\s+,/])+/g) ?? [];

/** Lines no longer than `width`; those after the first begin with `indent`. */
export function wrap(text: string, width: number | undefined, indent = ''): string[] {
  if (width === undefined) return [text];
  const lines: string[] = [];
  let line = '';
  for (const piece of pieces(text)) {
    const fits = [...line, ...piece.trimEnd()].length <= width;
    if (!fits && line.trim() !== '') {
      lines.push(line.trimEnd());
      line = indent;
    }
    line +=
      [...line, ...piece.trimEnd()].length <= width
        ? piece
        : `${[...piece].slice(0, Math.max(1, width - line.length - 1)).join('')}…`;
  }
  if (line.trim() !== '') lines.push(line.trimEnd());
  return lines.length > 0 ? lines : [''];
}
