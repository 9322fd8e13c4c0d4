/** Many nodes stop answering at once: most of them for good, or one region for half an hour. */

import { mean, ofHeld, overTime, quantiles, recallOf, Stage, share, times } from './load.ts';
import { near } from './regions.ts';
import type { Scenario } from './scenario.ts';

const TEN_MINUTES = 600_000;

/**
 * At one instant 60 % of the nodes go mute: they run on, but nothing reaches them or leaves them. Never a publisher. Gets
 * before, at once, and ten minutes later, each set at Poisson instants.
 */
export const mute: Scenario = {
  title: '60 % of the nodes go mute at once',
  demands: 'records still found, and latency back to normal within ten minutes',
  aims: [
    { figure: 'found at once', least: 0.9999 },
    { figure: 'found 10 min later', least: 0.9999 },
    { figure: 'first answer P50, 10 min later over before', most: 1.25 },
  ],
  run: (options) => {
    const stage = new Stage(options);
    const { cluster } = stage;
    const publishers = cluster.alive.slice(0, 10);
    const puts = stage.publish(publishers);
    const before = ofHeld(stage.reads('before', puts, 20), puts);
    const keep = new Set(publishers);
    const silent = Math.floor(options.nodes * 0.6);
    for (let i = 0; i < silent; ) {
      const host = cluster.someone();
      if (keep.has(host)) continue;
      cluster.mute(host);
      i++;
    }
    const muteMs = stage.simulator.nowMs;
    const at = ofHeld(stage.reads('at once', puts, 20), puts);
    stage.pass('ten minutes', Math.max(0, muteMs + TEN_MINUTES - stage.simulator.nowMs));
    const later = ofHeld(stage.reads('later', puts, 20), puts);
    const p50 = quantiles('before: first answer', times(before, 'firstMs'));
    const p50Later = quantiles('10 min later: first answer', times(later, 'firstMs'));
    const p50At = quantiles('at once: first answer', times(at, 'firstMs'));
    const base = p50['before: first answer P50 ms'] as number;
    return stage.outcome('mute', mute, {
      figures: {
        'found before': share(before),
        'found at once': share(at),
        'found 10 min later': share(later),
        'first answer P50, at once over before': (p50At['at once: first answer P50 ms'] as number) / base,
        'first answer P50, 10 min later over before':
          (p50Later['10 min later: first answer P50 ms'] as number) / base,
        ...p50,
        ...p50At,
        ...p50Later,
        'requests a get, at once': mean(at.map((get) => get.asked)),
      },
      latencies: [
        { name: 'before', samples: times(before, 'firstMs') },
        { name: 'at once', samples: times(at, 'firstMs') },
        { name: '10 min later', samples: times(later, 'firstMs') },
      ],
      timelines: [
        { name: 'gets that found after it', unit: 'share', points: overTime([...at, ...later], 30, muteMs) },
      ],
    });
  },
};

const OUTAGE_MS = 1_800_000;

/**
 * A region of neighbouring places with about 30 % of the nodes is cut off from everybody, itself included, for 30
 * minutes, and returns with what it knew. Gets by the rest meanwhile; by everybody, of all records, after the return.
 */
export const outage: Scenario = {
  title: 'A region with 30 % of the nodes goes away for half an hour, and returns',
  demands: 'records found meanwhile and after the return',
  aims: [
    { figure: 'found during the outage', least: 0.999 },
    { figure: 'found at the return', least: 0.99 },
    { figure: 'recall of a find 60 s after', least: 0.99 },
  ],
  run: (options) => {
    const stage = new Stage(options);
    const { cluster, simulator } = stage;
    const gone = near(cluster, 0.3);
    const rest = cluster.alive.filter((host) => !gone.has(host));
    const puts = stage.publish(rest.slice(0, 10));
    for (const host of gone) cluster.mute(host);
    const startMs = simulator.nowMs;
    stage.pass('outage', 5_000);
    const during = ofHeld(
      stage.openLoop('outage', options.lookups, options.lookups / ((OUTAGE_MS - 60_000) / 1000), (i) =>
        stage.read(puts[i % puts.length] as (typeof puts)[number]),
      ),
      puts,
    );
    stage.pass('outage', Math.max(0, startMs + OUTAGE_MS - simulator.nowMs));
    for (const host of gone) cluster.mute(host, false);
    const backMs = simulator.nowMs;
    const finds = (): typeof during => stage.finds('recall', 50, 20);
    const hosts = [...gone];
    const back = ofHeld(
      stage.openLoop('return', options.lookups, 20, (i) =>
        cluster.get(
          hosts[simulator.rng.u32() % hosts.length] as number,
          (puts[i % puts.length] as (typeof puts)[number]).target,
        ),
      ),
      puts,
    );
    stage.pass('settling', Math.max(0, backMs + 60_000 - simulator.nowMs));
    const after = finds();
    return stage.outcome('outage', outage, {
      figures: {
        'found during the outage': share(during),
        ...quantiles('first answer during', times(during, 'firstMs')),
        'found at the return': share(back),
        ...quantiles('first answer at the return', times(back, 'firstMs')),
        'recall of a find 60 s after': recallOf(after),
      },
      latencies: [
        { name: 'by the rest, during the outage', samples: times(during, 'firstMs') },
        { name: 'by who returned', samples: times(back, 'firstMs') },
      ],
      timelines: [
        { name: 'gets that found', unit: 'share', points: overTime([...during, ...back], 60, startMs) },
      ],
    });
  },
};
