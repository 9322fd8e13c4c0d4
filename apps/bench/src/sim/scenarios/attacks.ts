/** Hostile nodes: near and fast ones that want to be asked first, and many that press into one node's table. */
import { createStubIdentity, PERFECT_LINK } from '@molia/sim';
import type { Cluster } from '../cluster.ts';
import { mean, ofHeld, quantiles, Stage, share, times } from './load.ts';
import type { Scenario } from './scenario.ts';

const HOSTILE_SHARE = 0.2;

/**
 * A fifth of the nodes is hostile: in data centres spread as everybody is, without access delay, loss or queue, so each
 * answers before an honest node could; nothing can be claimed beyond that, for round trips are measured by who asks.
 * They join like others. Measured: of the first requests of each lookup, sent at the instant it begins, how many go to a
 * hostile node. What they could claim in messages beside it is believed by nobody, so no lie in a message is played here.
 */
export const liars: Scenario = {
  title: 'A fifth of the nodes is hostile and answers faster than honest ones can',
  demands: 'hostile first hops in proportion to hostile nodes',
  aims: [{ figure: 'hostile first hops over hostile nodes', most: 1.1 }],
  run: (options) => {
    const honest = Math.round(options.nodes * (1 - HOSTILE_SHARE));
    const stage = new Stage(options, { nodes: honest });
    const { cluster, simulator } = stage;
    const hostile = new Set<number>();
    for (let i = honest; i < options.nodes && !stage.stopped; i++) {
      hostile.add(cluster.join({ link: PERFECT_LINK }));
      simulator.run(20);
      stage.tell('hostile nodes join', (i - honest) / (options.nodes - honest));
    }
    const askers = cluster.alive.filter((host) => !hostile.has(host));
    // Tables prefer the near only as they meet them: an hour of refreshes and lookups.
    const puts = stage.publish(askers.slice(0, 10));
    stage.pass('an hour', (options.hours ?? 1) * 3_600_000);
    let first = 0;
    let taken = 0;
    const askerOf = (): number => {
      let host = cluster.someone();
      while (hostile.has(host)) host = cluster.someone();
      return host;
    };
    const watched = <T>(asker: number, begin: () => T): T => {
      cluster.onSend = (host, endpoint, offset) => {
        if (host !== asker) return;
        first++;
        if (hostile.has(cluster.hostAt(endpoint, offset))) taken++;
      };
      const begun = begin();
      cluster.onSend = undefined;
      return begun;
    };
    const gets = ofHeld(
      stage.openLoop('gets', options.lookups, 20, (i) => {
        const put = puts[i % puts.length] as (typeof puts)[number];
        const asker = askerOf();
        return watched(asker, () => cluster.get(asker, put.target));
      }),
      puts,
    );
    stage.openLoop('finds', options.lookups, 20, () => {
      const asker = askerOf();
      const target = cluster.randomKey();
      return watched(asker, () => cluster.find(asker, target));
    });
    const inTables = cluster
      .tables(askers.slice(0, 100))
      .map(
        (contacts) => contacts.filter((other) => hostile.has(other)).length / Math.max(1, contacts.length),
      );
    const counted = simulator.gather([first, taken]);
    const sum = (at: number): number => counted.reduce((all, counts) => all + (counts[at] as number), 0);
    const hijacked = sum(1) / sum(0);
    return stage.outcome('liars', liars, {
      figures: {
        'hostile nodes': hostile.size / options.nodes,
        'hostile first hops': hijacked,
        'hostile first hops over hostile nodes': hijacked / (hostile.size / options.nodes),
        'hostile in tables': mean(inTables),
        'gets that found': share(gets),
        ...quantiles('first answer', times(gets, 'firstMs')),
      },
      latencies: [{ name: 'get', samples: times(gets, 'firstMs') }],
    });
  },
};

/** Attackers for each bucket of the victim from the farthest, by how far their ids were ground: half more than it holds. */
const ATTACKERS: readonly number[] = [192, 96, 60];
const ATTACKERS_NEAR = 30;
/** Grinding an id for a bucket costs 2^(bucket + 1) hashes; deeper ones have no honest contacts at this size. */
const GROUND_BITS_MAX = 10;
const PINGS_EVERY_MS = 2_000;
const FLOOD_HOURS = 1 / 12;

/**
 * One node is flooded by its attacker: half more nodes than each of its buckets holds, with ids ground to fall into that bucket, on
 * consecutive addresses (a few /24) with perfect links. Each joins through the victim and pings it every two seconds.
 * After five minutes the victim restarts, with the table it had as its memory and three honest seeds, under the same flood
 * for five more. Measured for every bucket that had honest contacts before: how many of as many it has then.
 */
export const eclipse: Scenario = {
  title: 'One node is flooded with inbound contacts of one attacker, and restarts under the flood',
  demands: 'honest contacts kept in every bucket',
  aims: [
    { figure: 'honest kept in the worst bucket, flooded', least: 0.5 },
    { figure: 'honest kept in the worst bucket, restarted', least: 0.5 },
  ],
  run: (options) => {
    const stage = new Stage(options);
    const { cluster, simulator } = stage;
    const victim = cluster.someone();
    const id = cluster.population.id(victim);
    stage.pass('quiet', 60_000);
    const before = honestByBucket(cluster, victim, new Set());
    const buckets = before.map((_, bucket) => bucket).filter((bucket) => bucket <= GROUND_BITS_MAX);
    const hostile = new Set<number>();
    const seed = new Uint8Array(32);
    for (const bucket of buckets) {
      for (let i = 0; i < (ATTACKERS[bucket] ?? ATTACKERS_NEAR) && !stage.stopped; i++) {
        do {
          simulator.rng.fill(seed, 0, 32);
        } while (sharedBits(createStubIdentity(seed).id, id) !== bucket);
        hostile.add(
          cluster.join({ seed: seed.slice(), link: PERFECT_LINK, inBlock: true, through: [victim] }),
        );
        simulator.run(5);
      }
      stage.tell('flooding', bucket / buckets.length);
    }
    let flooding = true;
    const press = (host: number): void => {
      simulator.call(PINGS_EVERY_MS, () => {
        if (!flooding) return;
        cluster.ping(host, victim);
        press(host);
      });
    };
    for (const host of hostile) press(host);
    const floodMs = (options.hours ?? FLOOD_HOURS) * 3_600_000;
    stage.pass('flood', floodMs);
    const flooded = honestByBucket(cluster, victim, hostile);
    const floodedShare = honestShare(cluster, victim, hostile);
    cluster.leave(victim, true);
    simulator.run(1_000);
    const honest = cluster.alive.filter((host) => !hostile.has(host));
    const through = Array.from({ length: 3 }, () => honest[simulator.rng.u32() % honest.length] as number);
    cluster.rejoin(victim, through);
    stage.pass('restarted', floodMs);
    flooding = false;
    const restarted = honestByBucket(cluster, victim, hostile);
    const kept = (now: readonly number[]): number =>
      Math.min(...before.map((count, bucket) => (count === 0 ? 1 : Math.min(1, (now[bucket] ?? 0) / count))));
    const all = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);
    return stage.outcome('eclipse', eclipse, {
      figures: {
        attackers: hostile.size,
        'honest contacts before': all(before),
        'honest kept in the worst bucket, flooded': kept(flooded),
        'honest kept, flooded': all(flooded) / all(before),
        'honest share of the table, flooded': floodedShare,
        'honest kept in the worst bucket, restarted': kept(restarted),
        'honest kept, restarted': all(restarted) / all(before),
        'honest share of the table, restarted': honestShare(cluster, victim, hostile),
      },
    });
  },
};

function honestByBucket(cluster: Cluster, victim: number, hostile: ReadonlySet<number>): number[] {
  const counts: number[] = [];
  const id = cluster.population.id(victim);
  for (const host of cluster.tables([victim])[0] ?? []) {
    if (hostile.has(host)) continue;
    const bucket = sharedBits(cluster.population.id(host), id);
    while (counts.length <= bucket) counts.push(0);
    counts[bucket] = (counts[bucket] as number) + 1;
  }
  return counts;
}

function honestShare(cluster: Cluster, victim: number, hostile: ReadonlySet<number>): number {
  const table = cluster.tables([victim])[0] ?? [];
  return table.filter((host) => !hostile.has(host)).length / Math.max(1, table.length);
}

function sharedBits(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < 32; i++) {
    const difference = (a[i] as number) ^ (b[i] as number);
    if (difference !== 0) return i * 8 + Math.clz32(difference) - 24;
  }
  return 256;
}
