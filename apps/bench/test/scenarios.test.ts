import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isMet, type Outcome } from '../src/sim/scenarios/index.ts';
import { run } from './scenario-run.ts';

interface KnownFailure {
  readonly scenario: string;
  readonly figure: string;
  readonly least?: number;
  readonly most?: number;
  readonly why: string;
}

const knownFailures: KnownFailure[] = JSON.parse(
  readFileSync(new URL('known-failures.json', import.meta.url), 'utf8'),
);

/** Bounds hold unless they are known to fail; once such a one holds, its entry has to go. */
function demand(outcome: Outcome, bounds: Readonly<Record<string, readonly [number, number]>>): void {
  expect(outcome.failures).toEqual([]);
  const known = knownFailures.filter((failure) => failure.scenario === outcome.scenario);
  for (const failure of known)
    expect(isMet(failure, outcome.figures), `${failure.figure} holds now: remove its entry`).toBe(false);
  for (const [figure, [least, most]] of Object.entries(bounds)) {
    if (known.some((failure) => failure.figure === figure)) continue;
    const told = `${outcome.scenario}: ${figure} is ${outcome.figures[figure]}, not within ${least} and ${most}`;
    expect(isMet({ figure, least, most }, outcome.figures), told).toBe(true);
  }
}

describe('scenarios, small', () => {
  it('steady: what was put is found and the 20 closest are named, with a tenth of the nodes gone', () => {
    demand(run('steady', { watch: true }), {
      'gets that found': [0.98, 1],
      'recall of a find': [0.95, 1],
      'first answer P50 ms': [1, 400],
      'requests a get': [1, 30],
    });
  });

  it('cold: first contacts pay for their handshakes, and gets find', () => {
    demand(run('cold', { watch: true }), { 'gets that found': [0.98, 1], 'first answer P50 ms': [5, 500] });
  });

  it('churn: most gets find while 30 % of the nodes are replaced every minute', () => {
    demand(run('churn', { nodes: 40, lookups: 40, watch: true }), {
      'gets that found': [0.9, 1],
      'nodes that left': [5, 1000],
    });
  });

  it('kad: records with a publisher are found while nodes come, go and come back', () => {
    demand(run('kad', { nodes: 30, lookups: 40, hours: 0.5 }), {
      'gets that found, publisher stays': [0.95, 1],
      'gets that found, publisher gone': [0.9, 1],
      'sessions ended': [1, 1000],
      'nodes up, mean': [20, 60],
    });
  });

  it('mute: records are still found when 60 % of the nodes say nothing any more', () => {
    demand(run('mute', { nodes: 40 }), {
      'found before': [0.98, 1],
      'found at once': [0.9, 1],
      'found 10 min later': [0.98, 1],
    });
  });

  it('outage: a region goes away and returns', () => {
    demand(run('outage', { nodes: 40, lookups: 40 }), {
      'found during the outage': [0.98, 1],
      'found at the return': [0.95, 1],
      'recall of a find 60 s after': [0.9, 1],
    });
  });

  it.each(['partition', 'minority'])('%s: both sides go on and write, then are one', (name) => {
    demand(run(name, { nodes: 30, lookups: 30, hours: 0.7 }), {
      'puts while split that reached their holders': [0.98, 1],
      'seconds to recall 0.99': [0, 60],
      'table recall after 5 min': [0.9, 1],
      "other side's records found after 5 min": [0.99, 1],
      'newest sequence read after 5 min': [0.99, 1],
      'sequences that went back at a reader': [0, 0],
    });
  });

  it('liars: who answers fast is asked first no more often than its share', () => {
    demand(run('liars', { hours: 0.1 }), {
      'gets that found': [0.95, 1],
      'hostile first hops over hostile nodes': [0, 1.6],
    });
  });

  it('eclipse: a flood of inbound contacts leaves a node its honest ones', () => {
    demand(run('eclipse', { nodes: 30, hours: 0.005 }), {
      attackers: [100, 2000],
      'honest kept in the worst bucket, flooded': [0.5, 1],
      'honest kept in the worst bucket, restarted': [0.5, 1],
    });
  });

  it('flash: ten times the network joins within minutes', () => {
    demand(run('flash', { nodes: 100, lookups: 40 }), {
      'joins that completed': [0.98, 1],
      'gets that found': [0.95, 1],
      'recall of a find 5 min after': [0.95, 1],
    });
  });

  it('chaos: whatever fails meanwhile, no invariant breaks, and what is left becomes a network again', () => {
    demand(run('chaos', { nodes: 40, lookups: 40, hours: 0.03, watch: true }), {
      'recall of a find after': [0.9, 1],
      'acknowledged records found after': [0.95, 1],
    });
  });

  it('sizes: the same seed has the same history', () => {
    demand(run('sizes', { nodes: 40, lookups: 20 }), { 'histories that differ': [0, 0] });
  });
});
