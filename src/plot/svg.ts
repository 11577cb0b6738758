/**
 * @file What SVG charts share: a standalone document whose colours follow the reader's light or dark scheme, a frame with axes and
 * grid. Plain presentation rules instead of CSS variables, so that viewers that know no variables show the light scheme.
 */
import type { Axis } from './axes.ts';

/** As text or attribute: markup is escaped, and what XML forbids (control characters, half surrogate pairs) is replaced. */
export const escapeXml = (text: string): string =>
  text
    .replace(/[^\t\n\r -\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
    .replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** A coordinate: a hundredth of a pixel is finer than anyone sees. */
export const at = (value: number): string => String(Math.round(value * 100) / 100 || 0);

/**
 * Colours that people with any colour vision tell apart (M. Okabe and K. Ito, "Color Universal Design", 2008), on white and, made
 * lighter, on black; yellow is left out, which is not seen on white.
 */
export const palette: readonly { light: string; dark: string }[] = [
  { light: '#0072b2', dark: '#56b4e9' },
  { light: '#d55e00', dark: '#ff8a3d' },
  { light: '#009e73', dark: '#2ed3a3' },
  { light: '#b8548f', dark: '#e79ac4' },
  { light: '#b07d00', dark: '#f0c04a' },
  { light: '#5b5b5b', dark: '#c9c9c9' },
];

/** Lines beyond the palette take its colours again, with other dashes. */
export const dashes: readonly string[] = ['', '7 4', '2 3', '9 3 2 3'];

/** Width of a text in pixels, as far as can be known without fonts: sans-serif letters are about 0.56 em wide. */
export const textWidth = (text: string, size = 12): number => [...text].length * size * 0.56;

const colourRules = (scheme: 'light' | 'dark'): string =>
  palette.map((colour, i) => `.c${i}{stroke:${colour[scheme]};color:${colour[scheme]}}`).join('');

const style = `text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;fill:#24292f}
.title{font-size:15px;font-weight:600}.quiet{fill:#57606a}.paper{fill:#fff}
.grid{stroke:#e4e7eb;fill:none}.axis{stroke:#8c959f;fill:none}.fit{stroke:#8c959f;stroke-dasharray:5 4;fill:none}
.line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.band{fill:currentColor;fill-opacity:.15;stroke:none}.dot{fill:currentColor;stroke:none}
${colourRules('light')}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.quiet{fill:#9da7b3}.paper{fill:#0d1117}
.grid{stroke:#262c36}.axis{stroke:#6e7681}.fit{stroke:#6e7681}
${colourRules('dark')}}`;

/** A whole document. `body` is markup; the other texts are escaped here. */
export function svgDocument(
  { width, height, title, description }: { width: number; height: number; title: string; description: string },
  body: readonly string[],
): string {
  return `${[
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<svg xmlns="http://www.w3.org/2000/svg" width="${at(width)}" height="${at(height)}" viewBox="0 0 ${at(width)} ${at(height)}" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    `<desc>${escapeXml(description)}</desc>`,
    `<style>${style}</style>`,
    `<rect class="paper" width="${at(width)}" height="${at(height)}"/>`,
    ...body,
    '</svg>',
  ].join('\n')}\n`;
}

export const text = (x: number, y: number, content: string, attributes = ''): string =>
  `<text x="${at(x)}" y="${at(y)}"${attributes && ` ${attributes}`}>${escapeXml(content)}</text>`;

export interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** Room that the labels of a vertical axis take. */
export const labelRoom = ({ ticks }: Axis): number => Math.max(...ticks.map(({ label }) => textWidth(label)), 0);

/** Grid, axes, tick labels and axis titles around `box`. */
export function frame(
  box: Box,
  horizontal: { axis: Axis; place: (value: number) => number; title: string },
  vertical: { axis: Axis; place: (value: number) => number; title: string },
): string[] {
  const { left, right, top, bottom } = box;
  const middle = (top + bottom) / 2;
  const titleX = left - labelRoom(vertical.axis) - 22;
  return [
    `<path class="grid" d="${vertical.axis.ticks.map(({ value }) => `M${at(left)} ${at(vertical.place(value))}H${at(right)}`).join('')}"/>`,
    `<path class="axis" d="M${at(left)} ${at(bottom)}H${at(right)}${horizontal.axis.ticks.map(({ value }) => `M${at(horizontal.place(value))} ${at(bottom)}v5`).join('')}"/>`,
    ...vertical.axis.ticks.map(({ value, label }) =>
      text(left - 8, vertical.place(value) + 4, label, 'class="quiet" text-anchor="end"'),
    ),
    ...horizontal.axis.ticks.map(({ value, label }) =>
      text(horizontal.place(value), bottom + 19, label, 'class="quiet" text-anchor="middle"'),
    ),
    text((left + right) / 2, bottom + 39, horizontal.title, 'text-anchor="middle"'),
    text(titleX, middle, vertical.title, `text-anchor="middle" transform="rotate(-90 ${at(titleX)} ${at(middle)})"`),
  ];
}
