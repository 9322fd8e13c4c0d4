import { describe, expect, it } from 'vitest';
import { htmlReport } from '../src/sim/report-html.ts';
import { numberText, tableOf } from '../src/sim/report-text.ts';
import type { Outcome } from '../src/sim/scenarios/index.ts';
import { aimMet, figureOf, summarise } from '../src/sim/summary.ts';

function outcome(latency: number): Outcome {
  return {
    scenario: 'steady',
    title: 'A <b>title</b> & more',
    figures: { 'first answer P50 ms': latency, 'gets that found': 0.99995, lost: Number.POSITIVE_INFINITY },
    aims: [
      { figure: 'first answer P50 ms', most: 150 },
      { figure: 'gets that found', least: 1 },
    ],
    latencies: [{ name: 'get', samples: [10, latency, 300, Number.POSITIVE_INFINITY] }],
    timelines: [
      {
        name: 'found',
        unit: 'share',
        points: [
          [0, 1],
          [10, latency / 1000],
        ],
      },
    ],
    failures: [],
    digest: 'ab'.repeat(32),
    simulatedSeconds: 10,
    events: 1000,
    partial: false,
  };
}

const about = {
  command: 'npm run sim -- steady',
  commit: 'abc',
  date: '2026-01-01T00:00:00Z',
  nodes: 9,
  lookups: 4,
  demands: '',
};
const runs = [100, 120, 140].map((latency, i) => ({
  name: 'Molia',
  seed: i + 1,
  outcome: outcome(latency),
  wallSeconds: 1,
}));

describe('figures over seeds', () => {
  it('are medians with an interval of the mean by Student', () => {
    const figure = figureOf([100, 120, 140]);
    expect(figure.median).toBe(120);
    // 4.303 × 20 / √3
    expect(figure.interval?.[0]).toBeCloseTo(120 - 49.687, 2);
    expect(figureOf([7])).toEqual({ median: 7, values: [7] });
    expect(figureOf([1, Number.POSITIVE_INFINITY, 2]).interval).toEqual([null, null]);
    expect(figureOf([Number.NaN])).toEqual({ median: null, values: [] });
  });

  it('count failures in the curves, which then end below one', () => {
    const summary = summarise(about, runs);
    const [curve] = summary.variants[0]?.curves ?? [];
    expect(curve?.count).toBe(12);
    expect(curve?.points.at(-1)).toEqual([0.75, 300]);
    expect(summary.variants[0]?.timelines[0]?.points).toEqual([
      [0, 1],
      [10, 0.12],
    ]);
  });

  it('meet their aims by the median, and never when they are missing', () => {
    const variant = summarise(about, runs).variants[0];
    if (variant === undefined) throw new Error('no variant');
    expect(aimMet({ figure: 'first answer P50 ms', most: 120 }, variant)).toBe(true);
    expect(aimMet({ figure: 'first answer P50 ms', most: 119 }, variant)).toBe(false);
    expect(aimMet({ figure: 'lost', most: 1e9 }, variant)).toBe(false);
    expect(aimMet({ figure: 'nothing', most: 1 }, variant)).toBe(false);
  });
});

describe('reports', () => {
  const summary = summarise(about, [...runs, ...runs.map((run) => ({ ...run, name: 'plain Kademlia' }))]);

  it('say for every aim whether it is met', () => {
    const table = tableOf(summary);
    expect(table).toMatch(/first answer P50 ms +120 \[70\.3, 170\].*≤ 150 +met/);
    expect(table).toMatch(/gets that found +0\.99995.*≥ 1 +NOT MET/);
    expect(table).toMatch(/lost +never/);
    expect(numberText(12_345)).toBe('12,345');
  });

  it('make a page that stands alone, escaped, with every plot called simulated', () => {
    const page = htmlReport(summary);
    expect(page).not.toMatch(/src=|href=|<script|@import|url\(/);
    expect(page).not.toContain('<b>title</b>');
    expect(page.match(/<h2>[^<]*<span class="tag">simulated/g)?.length).toBeGreaterThanOrEqual(3);
    for (const points of page.matchAll(/points="([^"]+)"/g))
      expect(points[1]).toMatch(/^([\d.]+,[\d.]+( |$))+$/);
    expect(page).toContain('Jiménez et al. 2011');
    expect(page.length).toBeLessThan(100_000);
  });
});
