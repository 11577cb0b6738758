/** What did not fit when a state dict was loaded. */
export interface LoadReport {
  missing: string[];
  unexpected: string[];
  mismatched: { name: string; expected: number[]; found: number[] }[];
}

/** A report as a readable list, the first few of each kind. */
export function describeReport(report: LoadReport, most = 8): string {
  const lines: string[] = [];
  const list = (title: string, names: string[]): void => {
    if (names.length === 0) return;
    lines.push(`  ${title} (${names.length}): ${names.slice(0, most).join(', ')}${names.length > most ? ', …' : ''}`);
  };
  list('missing from the file', report.missing);
  list('in the file but not in the model', report.unexpected);
  list(
    'of another shape',
    report.mismatched.map((m) => `${m.name} is [${m.found.join(', ')}], the model has [${m.expected.join(', ')}]`),
  );
  return lines.join('\n');
}
