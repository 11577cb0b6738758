import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { lossDefinitions } from './registry.ts';

const text = readFileSync(new URL('../../../docs/losses.md', import.meta.url), 'utf8');

test('docs/losses.md lists every loss with its names, weight and gamma, in the registry’s order', () => {
  const rows = text
    .slice(0, text.indexOf('\n## '))
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| name') && !line.startsWith('| ---'))
    .map((line) => line.split('|').map((cell) => cell.trim()));
  const listed = rows.map(([, name, also, , weight, gamma]) => ({
    name,
    aliases: also ? also.split(', ') : [],
    weight: Number(weight),
    gamma: Number(gamma),
  }));
  expect(listed).toEqual(
    lossDefinitions.map(({ name, aliases, weight, gamma }) => ({ name, aliases: [...aliases], weight, gamma })),
  );
});

test('every file of a loss names its paper’s number where there is one', () => {
  for (const { name, paper, year } of lossDefinitions) {
    const arxiv = /arXiv:([\d.]+)/.exec(paper)?.[1];
    if (arxiv) expect(text, name).toContain(arxiv);
    expect(year).toBeGreaterThanOrEqual(2015);
  }
});
