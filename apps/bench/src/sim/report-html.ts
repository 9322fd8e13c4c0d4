/** One page with everything in it: figures, distributions, timelines, and the command that makes it again. No script. */
import type { Outcome, Series } from './scenarios.ts';

const COLOURS = ['#2457a6', '#c2551b', '#2f7d4f', '#7a3e9d', '#8a6d1b', '#555b63'];
const WIDTH = 720;
const HEIGHT = 300;
const PAD = { left: 52, right: 16, top: 14, bottom: 40 };

export interface Run {
  readonly name: string;
  readonly outcome: Outcome;
}

/** `runs`: the same scenario, ours first and then what it is compared with. */
export function htmlReport(command: string, runs: readonly Run[]): string {
  const first = (runs[0] as Run).outcome;
  const names = [...new Set(runs.flatMap((run) => Object.keys(run.outcome.figures)))];
  const rows = names.map(
    (name) =>
      `<tr><th>${escapeHtml(name)}</th>${runs.map((run) => `<td>${cell(run.outcome.figures[name])}</td>`).join('')}</tr>`,
  );
  const latencies = runs.flatMap((run) =>
    run.outcome.latencies.map((series) => ({ ...series, name: label(runs, run, series.name) })),
  );
  const timelines = runs.flatMap((run) =>
    run.outcome.timelines.map((line) => ({ ...line, name: label(runs, run, line.name) })),
  );
  const failures = runs.flatMap((run) => run.outcome.failures);
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(first.title)}</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:${WIDTH + 40}px;margin:2rem auto;padding:0 1rem;color:#1c1f23}
table{border-collapse:collapse;width:100%}th,td{padding:.25rem .6rem;border-bottom:1px solid #ddd}
th{text-align:left;font-weight:400}td{text-align:right;font-variant-numeric:tabular-nums}thead th{font-weight:600}
thead th+th{text-align:right}code{background:#f2f3f5;padding:.1rem .3rem}svg{width:100%;height:auto}
.note{color:#5a6068}
</style>
<h1>${escapeHtml(first.title)}</h1>
<p class="note">Simulated: engines of the daemon in virtual time over measured round-trip times. No figure here is a measurement
of the Internet. Failures count as infinite in every percentile.</p>
<p><code>${escapeHtml(command)}</code></p>
<table><thead><tr><th></th>${runs.map((run) => `<th>${escapeHtml(run.name)}</th>`).join('')}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table>
<h2>Latency: share of attempts done within a time</h2>
${distribution(latencies)}
${timelines.length > 0 ? `<h2>Over time</h2>\n${timeline(timelines)}` : ''}
${failures.length > 0 ? `<h2>Broken</h2><ul>${failures.map((line) => `<li>${escapeHtml(line)}</li>`).join('')}</ul>` : ''}
<p class="note">Event logs: ${runs.map((run) => `${escapeHtml(run.name)} <code>${run.outcome.digest.slice(0, 16)}</code>`).join(', ')}</p>
</html>
`;
}

function label(runs: readonly Run[], run: Run, name: string): string {
  return runs.length === 1 ? name : `${run.name}: ${name}`;
}

/** Cumulative distributions over a logarithmic time axis. */
function distribution(series: readonly Series[]): string {
  const finite = series.flatMap(({ samples }) => samples.filter((ms) => Number.isFinite(ms) && ms > 0));
  if (finite.length === 0) return '<p>Nothing succeeded.</p>';
  const low = Math.log10(
    Math.max(
      1,
      finite.reduce((a, b) => Math.min(a, b)),
    ),
  );
  const high = Math.log10(finite.reduce((a, b) => Math.max(a, b)));
  const x = (ms: number): number =>
    PAD.left +
    (Math.max(0, Math.log10(Math.max(1, ms)) - low) / Math.max(0.01, high - low)) *
      (WIDTH - PAD.left - PAD.right);
  const ticks = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 60_000].filter(
    (ms) => Math.log10(ms) >= low && Math.log10(ms) <= high,
  );
  const lines = series.map(({ samples }, i) => {
    const sorted = samples.filter(Number.isFinite).sort((a, b) => a - b);
    const points = sorted.map((ms, n) => `${x(ms).toFixed(1)},${y((n + 1) / samples.length).toFixed(1)}`);
    return polyline(points, i);
  });
  return plot(
    ticks.map((ms) => [x(ms), ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`]),
    lines,
    series,
  );
}

function timeline(lines: Outcome['timelines']): string {
  const last = Math.max(1, ...lines.flatMap(({ points }) => points.map(([second]) => second)));
  const x = (second: number): number => PAD.left + (second / last) * (WIDTH - PAD.left - PAD.right);
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part): [number, string] => [
    x(part * last),
    `${Math.round(part * last)} s`,
  ]);
  const drawn = lines.map(({ points }, i) =>
    polyline(
      points.map(([second, share]) => `${x(second).toFixed(1)},${y(share).toFixed(1)}`),
      i,
    ),
  );
  return plot(ticks, drawn, lines);
}

function y(share: number): number {
  return PAD.top + (1 - share) * (HEIGHT - PAD.top - PAD.bottom);
}

function polyline(points: readonly string[], index: number): string {
  return `<polyline fill="none" stroke="${COLOURS[index % COLOURS.length]}" stroke-width="2" points="${points.join(' ')}"/>`;
}

function plot(
  ticks: readonly (readonly [number, string])[],
  lines: readonly string[],
  named: readonly { readonly name: string }[],
): string {
  const bottom = HEIGHT - PAD.bottom;
  const vertical = ticks.map(
    ([at, text]) =>
      `<line x1="${at}" x2="${at}" y1="${PAD.top}" y2="${bottom}" stroke="#e3e5e8"/><text x="${at}" y="${bottom + 18}" text-anchor="middle">${text}</text>`,
  );
  const horizontal = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `<line x1="${PAD.left}" x2="${WIDTH - PAD.right}" y1="${y(share)}" y2="${y(share)}" stroke="#e3e5e8"/><text x="${PAD.left - 8}" y="${y(share) + 4}" text-anchor="end">${share * 100} %</text>`,
  );
  const legend = named.map(
    ({ name }, i) =>
      `<li><span style="color:${COLOURS[i % COLOURS.length]}">&#9632;</span> ${escapeHtml(name)}</li>`,
  );
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui,sans-serif" font-size="12" role="img">
${[...vertical, ...horizontal, ...lines].join('\n')}
</svg><ul style="list-style:none;padding:0">${legend.join('')}</ul>`;
}

function cell(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '–';
  if (!Number.isFinite(value)) return 'never';
  return Number.isInteger(value) ? String(value) : value.toPrecision(4);
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}
