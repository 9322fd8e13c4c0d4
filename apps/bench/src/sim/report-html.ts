/** One page with everything in it: figures and aims, distributions, timelines, and the command that makes it again. No script. */
import { bars, type Drawn, distribution, escapeHtml, timeline } from './report-html-plots.ts';
import { records } from './report-html-records.ts';
import { aimText, figureText } from './report-text.ts';
import { aimMet, type Summary, type Variant } from './summary.ts';

const ASSUMPTIONS: readonly string[] = [
  'Every node runs the stack of the daemon: WireGuard sessions and Kademlia. Cryptography is replaced by checksums of the same sizes, which take the same steps at the same instants.',
  'Round trips: medians between 490 PlanetLab hosts, plus an access delay at either end, log-normal with medians of 3 ms (fibre, 30 % of the nodes), 12 ms (cable, 35 %), 20 ms (DSL, 15 %) and 35 ms (mobile, 20 %), plus jitter of 2 % and bursts.',
  'Loss comes in spells: 0.1 % on fibre, 0.4 % on cable and DSL, 1 % on mobile links, at either end. Links have rates and queues that drop at their end. The shares, delays and losses of the links are assumptions.',
  'Nobody is behind a NAT box in these scenarios.',
  'Operations begin at Poisson instants, whether or not earlier ones have ended. A failure counts as infinite in every percentile.',
];

/** Colours of Okabe and Ito, told apart with colour-blind eyes, and lighter for a dark page. */
const STYLE = `
:root{color-scheme:light dark;--ink:#1c1f23;--soft:#5a6068;--page:#fff;--grid:#e3e5e8;--box:#f2f3f5;
--c0:#0072b2;--c1:#d55e00;--c2:#007f5c;--c3:#a83f83;--c4:#9a6b00;--c5:#4b5563;--good:#007f5c;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--soft:#a0a7b0;--page:#14171a;--grid:#2c3238;--box:#20252a;
--c0:#56b4e9;--c1:#ff9454;--c2:#3ecf9f;--c3:#e79ccb;--c4:#f0c04a;--c5:#b6bec9;--good:#3ecf9f;--bad:#ff8a80}}
body{font:16px/1.5 system-ui,sans-serif;max-width:860px;margin:2rem auto;padding:0 1rem;color:var(--ink);background:var(--page)}
h1{font-size:1.6rem;line-height:1.25;margin-bottom:.4rem}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%;font-size:.92rem}th,td{padding:.22rem .5rem;border-bottom:1px solid var(--grid);vertical-align:top}
th{text-align:left;font-weight:400}td{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}thead th{font-weight:600}
thead th+th{text-align:right}.wide{overflow-x:auto}.met{color:var(--good)}.not{color:var(--bad);font-weight:600}
code{background:var(--box);padding:.1rem .3rem;overflow-wrap:anywhere}.note{color:var(--soft)}.tag{font-size:.75rem;font-weight:600;
letter-spacing:.04em;text-transform:uppercase;border:1px solid var(--soft);border-radius:3px;padding:.05rem .35rem;color:var(--soft);vertical-align:middle}
svg{width:100%;height:auto;font:12px system-ui,sans-serif}svg text{fill:var(--ink)}.grid{stroke:var(--grid)}
polyline,line{fill:none}.mark{stroke:var(--soft);stroke-width:1;stroke-dasharray:2 3}.dot{fill:var(--page);stroke:var(--soft)}
svg .letter{fill:var(--soft);font-size:10px;font-weight:600}
.legend{list-style:none;padding:0;margin:.3rem 0;display:grid;gap:.1rem;font-size:.9rem}.key{width:34px;height:14px;margin-right:.5rem;vertical-align:middle}
${[0, 1, 2, 3, 4, 5].map((i) => `.l${i}{stroke:var(--c${i});stroke-width:2}.f${i}{fill:var(--c${i})}`).join('')}
`;

const SIMULATED = '<span class="tag">simulated</span>';

export function htmlReport(summary: Summary): string {
  const { title, variants, seeds, nodes } = summary;
  const curves = drawn(variants, (variant) => variant.curves).filter(({ line }) => line.points.length > 0);
  const lines = drawn(variants, (variant) => variant.timelines).filter(({ line }) => line.points.length > 0);
  const costs = costBars(variants);
  const failures = variants.flatMap((variant) => variant.failures);
  const seedText = seeds.length === 1 ? `seed ${seeds[0]}` : `${seeds.length} seeds from ${seeds[0]}`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} (simulated)</title><style>${STYLE}</style></head><body>
<h1>${escapeHtml(title)} ${SIMULATED}</h1>
<p class="note">${nodes.toLocaleString('en')} nodes, ${seedText}, engines of the daemon in virtual time. No figure on this page is a
measurement of the Internet.${summary.partial ? ' <strong>The run was stopped before its end.</strong>' : ''}</p>
<p><code>${escapeHtml(summary.command)}</code></p>
<h2>Figures ${SIMULATED}</h2>
${figuresTable(summary)}
<p class="note">${seeds.length > 1 ? 'Medians over seeds, with the 95 % confidence interval of the mean. ' : ''}Aims are for ${variants[0]?.name ?? ''}.</p>
${curves.length > 0 ? `<h2>Latency: share of attempts that had come within a time ${SIMULATED}</h2>\n${distribution(curves, records[summary.scenario] ?? [])}\n${records[summary.scenario] === undefined ? '' : '<p class="note">Letters mark published measurements of live networks: other networks, other workloads, other years. They give the scale, not a race.</p>'}` : ''}
${lines.length > 0 ? `<h2>Over time ${SIMULATED}</h2>\n${timeline(lines)}` : ''}
${costs.length > 0 ? `<h2>What it costs ${SIMULATED}</h2>\n${bars(costs)}` : ''}
${failures.length > 0 ? `<h2>Broken</h2><ul>${failures.map((line) => `<li class="not">${escapeHtml(line)}</li>`).join('')}</ul>` : ''}
<h2>What is assumed</h2>
<ul>${ASSUMPTIONS.map((line) => `<li>${escapeHtml(line)}</li>`).join('')}</ul>
<p class="note">Commit ${escapeHtml(summary.commit)}, ${summary.date.slice(0, 10)}. ${variants
    .map(
      (variant) =>
        `${escapeHtml(variant.name)}: ${variant.events.toLocaleString('en')} events, ${variant.simulatedSeconds.toLocaleString('en')} simulated seconds; event logs ${variant.digests
          .map((digest) => `<code>${digest.slice(0, 12)}</code>`)
          .join(' ')}`,
    )
    .join('. ')}.</p>
</body></html>
`;
}

/** Colour by what is drawn, dashes by whose it is. */
function drawn<Line extends { readonly name: string }>(
  variants: readonly Variant[],
  of: (variant: Variant) => readonly Line[],
): Drawn<Line>[] {
  const names = [...new Set(variants.flatMap((variant) => of(variant).map((line) => line.name)))];
  return variants.flatMap((variant, dash) =>
    of(variant).map((line) => ({
      line,
      label: variants.length === 1 ? line.name : `${variant.name}: ${line.name}`,
      colour: names.indexOf(line.name),
      dash,
    })),
  );
}

function figuresTable(summary: Summary): string {
  const { variants } = summary;
  const aims = new Map(summary.aims.map((aim) => [aim.figure, aim]));
  const names = [...new Set(variants.flatMap((variant) => Object.keys(variant.figures)))];
  const rows = names.map((name) => {
    const aim = aims.get(name);
    const met = aim !== undefined && aimMet(aim, variants[0] as Variant);
    const cells = variants.map((variant) => `<td>${figureText(variant.figures[name])}</td>`);
    const verdict =
      aim === undefined
        ? '<td></td><td></td>'
        : `<td>${aimText(aim)}</td><td class="${met ? 'met' : 'not'}">${met ? 'met' : 'not met'}</td>`;
    return `<tr><th>${escapeHtml(name)}</th>${cells.join('')}${verdict}</tr>`;
  });
  const heads = variants.map((variant) => `<th>${escapeHtml(variant.name)}</th>`);
  return `<div class="wide"><table><thead><tr><th></th>${heads.join('')}<th>aim</th><th></th></tr></thead><tbody>
${rows.join('\n')}
</tbody></table></div>`;
}

/** Requests of an operation, and traffic: of a kind each, so that their bars may share a scale. */
function costBars(variants: readonly Variant[]): { label: string; value: number; colour: number }[] {
  const names = [...new Set(variants.flatMap((variant) => Object.keys(variant.figures)))].filter((name) =>
    name.startsWith('requests a '),
  );
  return names.flatMap((name, colour) =>
    variants.flatMap((variant) => {
      const value = variant.figures[name]?.median ?? null;
      return value === null ? [] : [{ label: `${variant.name}: ${name}`, value, colour }];
    }),
  );
}
