/** Nodes come and go: as fast as nowhere, and as KAD's users did. */
import { dailyFactor, exponentialLeaving, KAD_PAUSES, KAD_SESSIONS, weibullSessions } from '@molia/sim';
import { createImmutable, immutableKey } from '@molia/wire';
import type { Attempt } from '../cluster-options.ts';
import { mean, ofHeld, overTime, quantiles, Stage, share, times } from './load.ts';
import type { Scenario } from './scenario.ts';

const HOUR = 3_600_000;
const PUBLISHERS = 10;

/**
 * Law: exponential, 30 % of the nodes leave within any minute (mean session 2.8 minutes), silently; each is replaced at
 * once by a node with a fresh id. Ten publishers stay, all others obey the law unless `stable` keeps a share of them.
 * Gets of an asker that left before it knew are counted apart, and once more as failures.
 */
export const churn: Scenario = {
  title: '30 % of the nodes replaced every minute, silently, with fresh ids',
  demands: 'gets that find, P95 and traffic at 60 to 100 times real churn',
  aims: [
    { figure: 'gets that found', least: 0.99 },
    { figure: 'first answer P95 ms', most: 1_500 },
    { figure: 'bytes a node and second', most: 2_000 },
  ],
  run: (options) => {
    const stage = new Stage(options);
    const { cluster, simulator } = stage;
    const { alive } = cluster;
    const publishers = alive.slice(0, PUBLISHERS);
    const core = Math.max(PUBLISHERS, Math.round((options.stable ?? 0) * alive.length));
    const puts = stage.publish(publishers);
    const law = exponentialLeaving(0.3, 60_000);
    let left = 0;
    const expire = (host: number): void => {
      simulator.call(law.draw(simulator.generators, simulator.script), () => {
        left++;
        cluster.leave(host);
        expire(cluster.join());
      });
    };
    for (const host of alive.slice(core)) expire(host);
    stage.pass('churning', 60_000);
    const meter = stage.meter();
    const gets = ofHeld(stage.reads('gets', puts, 5), puts);
    const traffic = meter.perNode(options.nodes);
    const kept = gets.filter((get) => !get.censored);
    return stage.outcome('churn', churn, {
      figures: {
        ...quantiles('first answer', times(kept, 'firstMs')),
        'gets that found': share(kept),
        'gets that found, askers that left counted as failures': share(gets),
        'askers that left': gets.length - kept.length,
        'nodes that left': left,
        'requests a get': mean(kept.map((get) => get.asked)),
        ...traffic,
      },
      latencies: [{ name: 'get under churn', samples: times(kept, 'firstMs') }],
      timelines: [{ name: 'gets that found, by 10 s', unit: 'share', points: overTime(kept) }],
    });
  },
};

/** Sessions of who a crawl met at its start (Steiner et al. as PeerfactSim.KOM quotes them): long ones are met more often. */
const KAD_RESIDENTS = weibullSessions('KAD residents', 0.54512, 357.7152 * 60_000);
/** Mean session over mean session and pause: the share of all hosts that is up. */
const KAD_UP = 266.5 / (266.5 + 1110);
/** Of the rate of arrivals: half as many again in the evening, half as many in the morning. */
const DAILY_SWING = 0.5;
const DAY_HOURS = 24;

/**
 * Law: KAD's measured Weibull sessions and pauses; `nodes` of about five times as many hosts are up on average, and come
 * back with the same id, their records and the contacts they knew. Arrivals follow a daily cycle. All leave silently.
 * Half the records have a publisher that stays and refreshes them; the other half's leaves for good at the start. Gets are
 * spread over the whole time; an asker that left before it knew is counted apart.
 */
export const kad: Scenario = {
  title: "A day with KAD's sessions, pauses and daily cycle; nodes come back with their ids",
  demands: 'records found over 24 h with and without a publisher, and traffic',
  aims: [
    { figure: 'gets that found, publisher stays', least: 0.9995 },
    { figure: 'bytes a node and second', most: 500 },
  ],
  run: (options) => {
    const stage = new Stage(options);
    const { cluster, simulator } = stage;
    const { generators, script } = simulator;
    const hours = options.hours ?? DAY_HOURS;
    const { alive } = cluster;
    const residents = alive.slice(0, PUBLISHERS);
    const leavers = alive.slice(PUBLISHERS, PUBLISHERS + Math.min(PUBLISHERS, alive.length >> 2));
    const kept = stage.publish(residents, 25);
    const orphans: Attempt[] = [];
    for (let i = 0; i < 25; i++) {
      const value = new Uint8Array(100);
      simulator.rng.fill(value, 0, 100);
      const host = leavers[i % leavers.length] as number;
      orphans.push(cluster.store(host, createImmutable(value, 86_400), immutableKey(value), false));
      simulator.run(100);
    }
    stage.pass('publishing', 15_000);
    cluster.collect(orphans);
    for (const host of leavers) cluster.leave(host);
    let sessions = 0;
    const pause = (host: number): void => {
      const daily = dailyFactor(simulator.nowMs, DAILY_SWING);
      simulator.call(KAD_PAUSES.draw(generators, script) / daily, () => {
        cluster.rejoin(host);
        stay(host, KAD_SESSIONS.draw(generators, script));
      });
    };
    const stay = (host: number, ms: number): void => {
      simulator.call(ms, () => {
        sessions++;
        cluster.leave(host, true);
        pause(host);
      });
    };
    for (const host of alive.slice(PUBLISHERS + leavers.length))
      stay(host, KAD_RESIDENTS.draw(generators, script));
    // Hosts that are away at the start join as new ones when their first pause ends.
    const away = Math.round(options.nodes / KAD_UP) - options.nodes;
    for (let i = 0; i < away; i++)
      simulator.call(KAD_PAUSES.draw(generators, script), () =>
        stay(cluster.join(), KAD_SESSIONS.draw(generators, script)),
      );
    const meter = stage.meter();
    const startMs = simulator.nowMs;
    let upSum = 0;
    const gets = stage.openLoop('gets', options.lookups, options.lookups / (hours * 3600), (i) => {
      upSum += cluster.population.live;
      const records = i % 2 === 0 ? kept : orphans;
      return stage.read(records[(i >> 1) % records.length] as Attempt);
    });
    const live = upSum / Math.max(1, gets.length);
    const known = gets.filter((get) => !get.censored);
    const ofKept = ofHeld(known, kept);
    const ofOrphans = ofHeld(known, orphans);
    const slot = Math.max(60, (hours * 3600) / 24);
    return stage.outcome('kad', kad, {
      figures: {
        'gets that found, publisher stays': share(ofKept),
        'gets that found, publisher gone': share(ofOrphans),
        'askers that left': gets.length - known.length,
        ...quantiles('first answer', times(ofKept, 'firstMs')),
        'requests a get': mean(known.map((get) => get.asked)),
        'sessions ended': sessions,
        'nodes up, mean': live,
        'hours simulated': (simulator.nowMs - startMs) / HOUR,
        ...meter.perNode(live),
      },
      latencies: [
        { name: 'get, publisher stays', samples: times(ofKept, 'firstMs') },
        { name: 'get, publisher gone', samples: times(ofOrphans, 'firstMs') },
      ],
      timelines: [
        { name: 'found, publisher stays', unit: 'share', points: overTime(ofKept, slot, startMs) },
        { name: 'found, publisher gone', unit: 'share', points: overTime(ofOrphans, slot, startMs) },
      ],
    });
  },
};
