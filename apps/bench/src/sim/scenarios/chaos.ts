/** Everything goes wrong at once; then what is left must be a network again. */
import { createStubIdentity } from '@molia/sim';
import { createMutable, mutableKey } from '@molia/wire';
import type { Attempt } from '../cluster-options.ts';
import { ofHeld, quantiles, recallOf, Stage, share, times } from './load.ts';
import type { Scenario } from './scenario.ts';

const CHAOS_MS = 600_000;
const STEP_MS = 2_000;
const LOSS_MAX = 0.3;
const DUPLICATION_MAX = 0.1;
const REORDERING_MAX = 0.2;
const REORDER_MS = 200;
/** A clog strikes so many of the hosts at a step, for a mean of so long. */
const CLOGGED = 0.02;
const CLOG_MS = 5_000;
const GROUPS = 4;
const SPLIT_CHANCE = 0.1;
const SPLIT_MS = 30_000;
const CRASHED = 0.01;
const AWAY_MS_MIN = 5_000;
const AWAY_MS_MEAN = 20_000;
/** Of the hosts: well again after the chaos; the others never come back. */
const CORE = 0.7;
const SETTLE_MS = 300_000;
const STORIES = 5;
const ENCODER = new TextEncoder();

/**
 * Phase one, safety, ten minutes: every two seconds loss up to 30 %, duplication up to 10 % and reordering up to 20 % are
 * drawn anew; 2 % of the hosts are clogged for 5 s on average, 1 % crash and come back with their disks after 5 s or more;
 * one of four groups may lose another in one direction for 30 s. Nodes write and read all the while; readers remember the
 * sequence they have seen. Phase two, liveness: 70 % of the hosts are well, the rest gone for good, and after five minutes
 * lookups must name who is closest, and every record that its writer was told is held must be found.
 */
export const chaos: Scenario = {
  title:
    'Loss, duplicates, clogs, one-way partitions and crashes for ten minutes, then a core that must recover',
  demands: 'no broken invariant; recall and every acknowledged record after five minutes of rest',
  aims: [
    { figure: 'recall of a find after', least: 0.99 },
    { figure: 'acknowledged records found after', least: 1 },
  ],
  run: (options) => {
    const stage = new Stage(options);
    const { cluster, simulator } = stage;
    const { network, rng, generators, script } = simulator;
    const hosts = cluster.alive;
    for (const host of hosts) network.setGroup(host, host % GROUPS);
    const chance = (): number => generators.unit(script);
    const stories = Array.from({ length: STORIES }, (_, i) => {
      const identity = createStubIdentity(new Uint8Array(32).fill(i + 1));
      return { identity, key: mutableKey(identity.publicKey, ENCODER.encode('sim'), new Uint8Array(0)) };
    });
    const puts: Attempt[] = [];
    const gets: Attempt[] = [];
    const seen = new Map<string, Attempt>();
    let crashes = 0;
    const strike = (): void => {
      network.faults.loss = LOSS_MAX * chance();
      network.faults.duplication = DUPLICATION_MAX * chance();
      network.faults.reordering = REORDERING_MAX * chance();
      network.faults.reorderMs = REORDER_MS;
      for (let i = 0; i < Math.ceil(CLOGGED * hosts.length * chance()); i++) {
        const host = cluster.someone();
        cluster.mute(host);
        simulator.call(generators.exponential(script, CLOG_MS), () => cluster.mute(host, false));
      }
      if (chance() < CRASHED * hosts.length * 0.5 && cluster.population.live > 0.6 * hosts.length) {
        const host = cluster.someone();
        crashes++;
        cluster.leave(host, true);
        simulator.call(AWAY_MS_MIN + generators.exponential(script, AWAY_MS_MEAN), () =>
          cluster.rejoin(host),
        );
      }
      if (chance() < SPLIT_CHANCE) {
        const [from, to] = [rng.u32() % GROUPS, rng.u32() % GROUPS];
        if (from === to) return;
        network.setBlocked(from, to, true);
        simulator.call(generators.exponential(script, SPLIT_MS), () => network.setBlocked(from, to, false));
      }
    };
    const steps = Math.ceil(((options.hours ?? CHAOS_MS / 3_600_000) * 3_600_000) / STEP_MS);
    for (let step = 0; step < steps && !stage.stopped; step++) {
      strike();
      puts.push(cluster.put(cluster.someone()));
      const story = stories[step % STORIES] as (typeof stories)[number];
      if (step % 5 === 0) {
        // Every writer in turn, two of them with one sequence now and then: equivocation.
        const sequence = 1 + Math.floor(step / 20);
        const { identity } = story;
        const value = new Uint8Array([step & 255, step >> 8]);
        const record = createMutable({ identity, namespace: 'sim', sequence, value, ttlSecs: 3_600 });
        puts.push(cluster.store(cluster.someone(), record, story.key));
      }
      const reader = cluster.someone();
      const before = seen.get(`${reader} ${step % STORIES}`);
      const get = cluster.get(reader, story.key, Math.max(0, before?.sequence ?? 0));
      seen.set(`${reader} ${step % STORIES}`, get);
      gets.push(get);
      stage.pass('chaos', STEP_MS);
    }
    Object.assign(network.faults, { loss: 0, duplication: 0, reordering: 0 });
    network.heal();
    const healedMs = simulator.nowMs;
    // Who is still away comes back within the wait, if it belongs to the core.
    stage.pass('calling in', AWAY_MS_MEAN);
    for (const host of cluster.alive) cluster.mute(host, false);
    const living = cluster.alive;
    for (const host of living.slice(Math.round(CORE * living.length))) cluster.leave(host);
    stage.pass('resting', Math.max(0, healedMs + SETTLE_MS - simulator.nowMs));
    cluster.collect([...puts, ...gets]);
    const told = puts.filter((put) => put.ok);
    const finds = stage.finds('finds', Math.ceil(options.lookups / 2), 10);
    const reads = ofHeld(
      stage.openLoop('reads', puts.length, 20, (i) =>
        cluster.get(cluster.someone(), (puts[i] as Attempt).target),
      ),
      puts,
    );
    return stage.outcome('chaos', chaos, {
      figures: {
        'puts acknowledged during chaos': told.length / puts.length,
        'gets that found during chaos': share(gets.filter((get) => !get.censored)),
        crashes,
        'recall of a find after': recallOf(finds),
        'acknowledged records found after': share(reads),
        ...quantiles('first answer after', times(reads, 'firstMs')),
      },
      latencies: [
        { name: 'get during chaos', samples: times(gets, 'firstMs') },
        { name: 'get after', samples: times(reads, 'firstMs') },
      ],
    });
  },
};
