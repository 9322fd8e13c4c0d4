/** The table of a simulation for a terminal: figures of every variant, and whether the aims are met. */
import type { Aim } from './scenarios/index.ts';
import { aimMet, type Figure, type Summary, type Variant } from './summary.ts';

/** A title, the table, and a line of what it rests on. */
export function tableOf(summary: Summary): string {
  const { variants, seeds, nodes } = summary;
  const aims = new Map(summary.aims.map((aim) => [aim.figure, aim]));
  const first = variants[0] as Variant;
  const figures = [...new Set(variants.flatMap((variant) => Object.keys(variant.figures)))];
  const rows = [
    ['', ...variants.map((variant) => variant.name), 'aim', ''],
    ...figures.map((name) => {
      const aim = aims.get(name);
      return [
        name,
        ...variants.map((variant) => figureText(variant.figures[name])),
        aim === undefined ? '' : aimText(aim),
        aim === undefined ? '' : aimMet(aim, first) ? 'met' : 'NOT MET',
      ];
    }),
  ];
  const widths = (rows[0] as string[]).map((_, i) =>
    Math.max(...rows.map((row) => (row[i] as string).length)),
  );
  const lines = rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number)))
      .join('  ')
      .trimEnd(),
  );
  const spread = seeds.length > 1 ? ' medians over seeds [95 % confidence interval of the mean].' : '';
  const cut = summary.partial ? ' STOPPED EARLY: the figures rest on less than asked for.' : '';
  return `\n${summary.title} (simulated, ${nodes} nodes, ${seeds.length === 1 ? `seed ${seeds[0]}` : `${seeds.length} seeds`})\n\n${lines.join('\n')}\n\nSimulated;${spread || ' one seed.'}${cut}\n`;
}

export function aimText({ least, most }: Aim): string {
  return [
    ...(least === undefined ? [] : [`≥ ${numberText(least)}`]),
    ...(most === undefined ? [] : [`≤ ${numberText(most)}`]),
  ].join(', ');
}

/** The median, with the interval where there is one that says something. */
export function figureText(figure: Figure | undefined): string {
  if (figure === undefined || figure.values.length === 0) return '–';
  const { median, interval } = figure;
  const text = numberText(median);
  if (interval === undefined || interval[0] === interval[1] || interval[0] === null) return text;
  return `${text} [${numberText(interval[0])}, ${numberText(interval[1])}]`;
}

/** `null` is infinity. Shares close to one keep the digits that tell them apart from it. */
export function numberText(value: number | null): string {
  if (value === null) return 'never';
  const size = Math.abs(value);
  if (Number.isInteger(value)) return value.toLocaleString('en');
  if (size >= 100) return Math.round(value).toLocaleString('en');
  if (size > 0.99 && size < 1) return value.toFixed(5).replace(/0+$/, '');
  return value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3);
}
