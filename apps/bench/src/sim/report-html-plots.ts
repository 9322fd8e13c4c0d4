/** Plots as SVG: cumulative distributions over a logarithmic time axis, lines over time, bars. Colours are CSS classes. */
import type { Record } from './report-html-records.ts';
import { numberText } from './report-text.ts';
import type { Timeline } from './scenarios/index.ts';
import type { Curve } from './summary.ts';

const WIDTH = 760;
const HEIGHT = 340;
const PAD = { left: 64, right: 18, top: 14, bottom: 54 };
const BAR_HEIGHT = 22;
const BAR_LEFT = 300;
/** Classes `c0` to `c5` of the page; beyond, colours repeat. */
const COLOURS = 6;
/** Of a line of variant 0, 1, …: told apart without colour, too. */
const DASHES = ['', '7 4', '2 3', '9 3 2 3'];
const TIMES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000];

/** One line of a plot: its colour says what, its dashes say whose. */
export interface Drawn<Line> {
  readonly line: Line;
  readonly label: string;
  readonly colour: number;
  readonly dash: number;
}

/** The share of attempts that had come within a time. Lines that stay below 100 % are of attempts that never came. */
export function distribution(curves: readonly Drawn<Curve>[], records: readonly Record[]): string {
  const all = [
    ...curves.flatMap(({ line }) => line.points.map(([, ms]) => ms)),
    ...records.flatMap((record) => record.points.map(([, ms]) => ms)),
  ].filter((ms) => ms > 0);
  if (all.length === 0) return '<p>Nothing succeeded.</p>';
  const low = Math.log10(Math.max(1, Math.min(...all)) * 0.8);
  const high = Math.log10(Math.max(...all) * 1.25);
  const x = (ms: number): number =>
    PAD.left +
    (Math.max(0, Math.log10(Math.max(1, ms)) - low) / (high - low)) * (WIDTH - PAD.left - PAD.right);
  const ticks = TIMES.filter((ms) => Math.log10(ms) >= low && Math.log10(ms) <= high).map(
    (ms): [number, string] => [x(ms), ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`],
  );
  const lines = curves.map(({ line, colour, dash }) => {
    const first = line.points[0];
    const points = first === undefined ? [] : [[0, first[1]] as const, ...line.points];
    return polyline(
      points.map(([share, ms]) => [x(ms), yOf(share, 1)]),
      colour,
      dash,
    );
  });
  const marks = records.map((record, i) => markOf(record, i, x));
  return (
    frame('time since the attempt began (logarithmic)', 'share of attempts', ticks, shareTicks(), [
      ...marks,
      ...lines,
    ]) + legend(curves, records)
  );
}

/** Shares or rates over seconds of simulated time. */
export function timeline(lines: readonly Drawn<Timeline>[]): string {
  const last = Math.max(1, ...lines.flatMap(({ line }) => line.points.map(([second]) => second)));
  const isShare = lines.every(({ line }) => line.unit === 'share');
  const top = isShare
    ? 1
    : Math.max(1, ...lines.flatMap(({ line }) => line.points.map(([, value]) => value)));
  const x = (second: number): number => PAD.left + (second / last) * (WIDTH - PAD.left - PAD.right);
  const unit = last > 10_800 ? 3600 : last > 600 ? 60 : 1;
  const name = unit === 3600 ? 'hours' : unit === 60 ? 'minutes' : 'seconds';
  const ticks = steps(last / unit).map((at): [number, string] => [x(at * unit), String(at)]);
  const drawn = lines.map(({ line, colour, dash }) =>
    polyline(
      line.points.map(([second, value]) => [x(second), yOf(value, top)]),
      colour,
      dash,
    ),
  );
  const vertical = isShare
    ? shareTicks()
    : steps(top).map((at): [number, string] => [yOf(at, top), numberText(at)]);
  const what = isShare ? 'share' : (lines[0]?.line.unit ?? '');
  return frame(`simulated ${name}`, what, ticks, vertical, drawn) + legend(lines, []);
}

/** One bar a value, with the value at its end. */
export function bars(
  rows: readonly { readonly label: string; readonly value: number; readonly colour: number }[],
): string {
  const most = Math.max(...rows.map((row) => row.value), Number.MIN_VALUE);
  const height = rows.length * BAR_HEIGHT + 8;
  const drawn = rows.map(({ label, value, colour }, i) => {
    const y = 4 + i * BAR_HEIGHT;
    const width = Math.max(1, (value / most) * (WIDTH - BAR_LEFT - 80));
    return `<text x="${BAR_LEFT - 8}" y="${y + 15}" text-anchor="end">${escapeHtml(label)}</text><rect class="f${colour % COLOURS}" x="${BAR_LEFT}" y="${y + 3}" width="${width.toFixed(1)}" height="${BAR_HEIGHT - 7}" rx="2"/><text x="${(BAR_LEFT + width + 6).toFixed(1)}" y="${y + 15}">${numberText(value)}</text>`;
  });
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img">${drawn.join('\n')}</svg>`;
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}

function yOf(value: number, top: number): number {
  return PAD.top + (1 - value / top) * (HEIGHT - PAD.top - PAD.bottom);
}

function shareTicks(): [number, string][] {
  return [0, 0.25, 0.5, 0.75, 0.9, 1].map((share) => [yOf(share, 1), `${share * 100} %`]);
}

/** Round steps from 0 to `most`: four to eight. */
function steps(most: number): number[] {
  const rough = most / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) as number) * power;
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => Number((i * step).toPrecision(6)));
}

function polyline(points: readonly (readonly [number, number])[], colour: number, dash: number): string {
  const pattern = DASHES[dash % DASHES.length];
  const text = points.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(' ');
  return `<polyline class="l${colour % COLOURS}"${pattern === '' ? '' : ` stroke-dasharray="${pattern}"`} points="${text}"/>`;
}

/** A letter at each point; a thin line joins the ends of a range or several percentiles. */
function markOf(record: Record, index: number, x: (ms: number) => number): string {
  const letter = letterOf(index);
  const points = record.points.map(([share, ms]): [number, number] => [x(ms), yOf(share, 1)]);
  const joined =
    points.length < 2
      ? ''
      : `<polyline class="mark" points="${points.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(' ')}"/>`;
  const dots = points.map(
    ([px, py]) =>
      `<circle class="dot" cx="${px.toFixed(1)}" cy="${py.toFixed(1)}" r="7.5"/><text class="letter" x="${px.toFixed(1)}" y="${(py + 3.5).toFixed(1)}" text-anchor="middle">${letter}</text>`,
  );
  return joined + dots.join('');
}

const letterOf = (index: number): string => String.fromCharCode(65 + index);

function frame(
  xTitle: string,
  yTitle: string,
  vertical: readonly (readonly [number, string])[],
  horizontal: readonly (readonly [number, string])[],
  inside: readonly string[],
): string {
  const bottom = HEIGHT - PAD.bottom;
  const middle = (PAD.top + bottom) / 2;
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">
${vertical.map(([at, text]) => `<line class="grid" x1="${at.toFixed(1)}" x2="${at.toFixed(1)}" y1="${PAD.top}" y2="${bottom}"/><text x="${at.toFixed(1)}" y="${bottom + 18}" text-anchor="middle">${text}</text>`).join('\n')}
${horizontal.map(([at, text]) => `<line class="grid" x1="${PAD.left}" x2="${WIDTH - PAD.right}" y1="${at.toFixed(1)}" y2="${at.toFixed(1)}"/><text x="${PAD.left - 8}" y="${(at + 4).toFixed(1)}" text-anchor="end">${text}</text>`).join('\n')}
<text x="${(PAD.left + WIDTH - PAD.right) / 2}" y="${HEIGHT - 10}" text-anchor="middle">${escapeHtml(xTitle)}</text>
<text transform="translate(14 ${middle}) rotate(-90)" text-anchor="middle">${escapeHtml(yTitle)}</text>
${inside.join('\n')}
</svg>`;
}

function legend(lines: readonly Drawn<unknown>[], records: readonly Record[]): string {
  const items = lines.map(({ label, colour, dash }) => {
    const pattern = DASHES[dash % DASHES.length];
    return `<li><svg class="key" viewBox="0 0 34 12"><line class="l${colour % COLOURS}"${pattern === '' ? '' : ` stroke-dasharray="${pattern}"`} x1="1" x2="33" y1="6" y2="6"/></svg>${escapeHtml(label)}</li>`;
  });
  const marks = records.map(
    (record, i) =>
      `<li><svg class="key" viewBox="0 0 34 16"><circle class="dot" cx="17" cy="8" r="7.5"/><text class="letter" x="17" y="11.5" text-anchor="middle">${letterOf(i)}</text></svg>${escapeHtml(record.name)}</li>`,
  );
  return `<ul class="legend">${[...items, ...marks].join('')}</ul>`;
}
