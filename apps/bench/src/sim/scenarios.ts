/** The scenarios: each builds a network from a seed, does something to it, and says what became of every attempt. */
import type { Tuning } from '@molia/kademlia';
import { exponentialLeaving, type LatencyMatrix } from '@molia/sim';
import { quantile } from '../statistics.ts';
import { type Attempt, Cluster } from './cluster.ts';
import type { StackNode } from './stack.ts';

export interface ScenarioOptions {
  readonly nodes: number;
  readonly seed: number;
  readonly matrix: LatencyMatrix;
  /** Textbook Kademlia: α = 3, one timeout for all, no proximity. */
  readonly baseline: boolean;
  readonly lookups: number;
  readonly replay: string;
  readonly progress: (line: string) => void;
}

/** Samples in milliseconds, failures as Infinity. */
export interface Series {
  readonly name: string;
  readonly samples: readonly number[];
}

export interface Outcome {
  readonly scenario: string;
  readonly title: string;
  readonly figures: Readonly<Record<string, number>>;
  readonly latencies: readonly Series[];
  /** Share (0 to 1) over seconds of simulated time. */
  readonly timelines: readonly { readonly name: string; readonly points: readonly [number, number][] }[];
  /** Broken invariants and what the scenario demanded in vain. */
  readonly failures: readonly string[];
  readonly digest: string;
}

export type Scenario = (options: ScenarioOptions) => Outcome;

/** Kademlia as its paper has it. */
export const PLAIN: Partial<Tuning> = Object.freeze({
  alphaMin: 3,
  alphaStart: 3,
  alphaMax: 3,
  proximity: false,
  fixedTimeoutMs: 1_000,
  lookupBudgetMs: 20_000,
});

const RECORDS = 50;
const RECALL_SAMPLES = 50;
/** Long enough for every table to have given the other half up: each contact is heard within 15 minutes. */
const SPLIT_MS = 3_600_000;

function build(options: ScenarioOptions): Cluster {
  const cluster = new Cluster({
    nodes: options.nodes,
    seed: options.seed,
    matrix: options.matrix,
    replay: options.replay,
    ...(options.baseline ? { tuning: PLAIN } : {}),
  });
  const every = Math.max(1, Math.floor(options.nodes / 20));
  cluster.populate((joined) => {
    if (joined % every === 0) options.progress(`${joined} of ${options.nodes} nodes joined`);
  });
  return cluster;
}

/** Publishes records from a few nodes that stay. */
function publish(cluster: Cluster, publishers: readonly StackNode[]): Attempt[] {
  const puts: Attempt[] = [];
  for (let i = 0; i < RECORDS; i++) {
    puts.push(cluster.put(publishers[i % publishers.length] as StackNode));
    cluster.simulator.run(100);
  }
  cluster.simulator.run(15_000);
  return puts;
}

/** Starts an operation at Poisson instants, `perSecond` on average, and runs until the last had time to end. */
function openLoop(
  cluster: Cluster,
  count: number,
  perSecond: number,
  start: (i: number) => Attempt,
  options: ScenarioOptions,
): Attempt[] {
  const { simulator } = cluster;
  const attempts: Attempt[] = [];
  const every = Math.max(1, Math.floor(count / 10));
  for (let i = 0; i < count; i++) {
    simulator.run(simulator.generators.exponential(simulator.script, 1000 / perSecond));
    attempts.push(start(i));
    if (i % every === 0)
      options.progress(`${i} of ${count} operations, ${(simulator.nowMs / 1000).toFixed(0)} s`);
  }
  simulator.run(25_000);
  return attempts;
}

const read = (cluster: Cluster, key: Uint8Array): Attempt => cluster.get(cluster.asker(key), key);
const held = (puts: readonly Attempt[]): Attempt[] => puts.filter((put) => put.ok);
const times = (attempts: readonly Attempt[], of: 'firstMs' | 'doneMs'): number[] =>
  attempts.map((attempt) => (attempt.ok ? attempt[of] : Number.POSITIVE_INFINITY));
const share = (attempts: readonly Attempt[]): number =>
  attempts.length === 0 ? Number.NaN : attempts.filter((attempt) => attempt.ok).length / attempts.length;
const mean = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0) / numbers.length;

function quantiles(name: string, samples: readonly number[]): Record<string, number> {
  return Object.fromEntries(
    [0.5, 0.95, 0.99].map((q) => [`${name} P${q * 100} ms`, Math.round(quantile(samples, q))]),
  );
}

function outcome(
  scenario: string,
  title: string,
  cluster: Cluster,
  parts: Pick<Outcome, 'figures' | 'latencies'> & Partial<Outcome>,
): Outcome {
  return {
    scenario,
    title,
    figures: parts.figures,
    latencies: parts.latencies,
    timelines: parts.timelines ?? [],
    failures: [...cluster.violations, ...(parts.failures ?? [])],
    digest: cluster.simulator.digest(),
  };
}

/** Lookups in a network where a tenth of what tables hold has just gone. */
const steady: Scenario = (options) => {
  const cluster = build(options);
  const puts = publish(cluster, cluster.alive.slice(0, 10));
  // Silent, and unnoticed so far: stale entries.
  const gone = Math.floor(options.nodes / 10);
  for (let i = 0; i < gone; i++) cluster.leave(cluster.someone().host);
  const keys = held(puts).map((put) => put.target);
  const sentBefore = cluster.simulator.network.datagramsSent;
  const startMs = cluster.simulator.nowMs;
  const gets = openLoop(
    cluster,
    options.lookups,
    20,
    (i) => read(cluster, keys[i % keys.length] as Uint8Array),
    options,
  );
  const seconds = (cluster.simulator.nowMs - startMs) / 1000;
  const sent = cluster.simulator.network.datagramsSent - sentBefore;
  const finds = openLoop(
    cluster,
    Math.ceil(options.lookups / 2),
    10,
    () => cluster.find(cluster.someone(), cluster.randomKey()),
    options,
  );
  const recall = finds.map((find) => (Number.isNaN(find.recall) ? 0 : find.recall));
  return outcome('steady', 'Lookups with a tenth of the nodes gone unnoticed', cluster, {
    figures: {
      ...quantiles('first answer', times(gets, 'firstMs')),
      ...quantiles('convergence', times(finds, 'doneMs')),
      'requests a get': mean(gets.map((get) => get.asked)),
      'requests a find': mean(finds.map((find) => find.asked)),
      'gets that found': share(gets),
      'recall of a find': mean(recall),
      ...quantiles('put', times(puts, 'doneMs')),
      'holders of a put': mean(puts.map((put) => put.holders)),
      'datagrams a node and second': sent / seconds / options.nodes,
    },
    latencies: [
      { name: 'get, first valid answer', samples: times(gets, 'firstMs') },
      { name: 'find, 20 closest answered', samples: times(finds, 'doneMs') },
      { name: 'put, 15 of 20 hold it', samples: times(puts, 'doneMs') },
    ],
  });
};

/** Thirty per cent of the nodes replaced every minute, in silence and under new names. */
const churn: Scenario = (options) => {
  const cluster = build(options);
  const { simulator } = cluster;
  // Who must still serve its records stays; everybody else obeys the law.
  const stable = new Set(cluster.alive.slice(0, 10).map((node) => node.host));
  const puts = publish(
    cluster,
    cluster.alive.filter((node) => stable.has(node.host)),
  );
  const law = exponentialLeaving(0.3, 60_000);
  const expire = (host: number): void => {
    simulator.call(law.draw(simulator.generators, simulator.script), () => {
      if (!simulator.isRunning(host)) return;
      cluster.leave(host);
      expire(cluster.join().host);
    });
  };
  for (const node of cluster.alive) if (!stable.has(node.host)) expire(node.host);
  simulator.run(60_000);
  const keys = held(puts).map((put) => put.target);
  const bytesBefore = simulator.network.bytesOut.reduce((a, b) => a + b, 0);
  const startMs = simulator.nowMs;
  const gets = openLoop(
    cluster,
    options.lookups,
    5,
    (i) => read(cluster, keys[i % keys.length] as Uint8Array),
    options,
  );
  const seconds = (simulator.nowMs - startMs) / 1000;
  const bytes = simulator.network.bytesOut.reduce((a, b) => a + b, 0) - bytesBefore;
  const kept = gets.filter((get) => !get.censored);
  return outcome('churn', '30 % of the nodes replaced every minute, silently, with fresh ids', cluster, {
    figures: {
      ...quantiles('first answer', times(kept, 'firstMs')),
      'gets that found': share(kept),
      'gets that found, askers that left counted as failures': share(gets),
      'askers that left': gets.length - kept.length,
      'requests a get': mean(kept.map((get) => get.asked)),
      'bytes a node and second': bytes / seconds / options.nodes,
    },
    latencies: [{ name: 'get under churn', samples: times(kept, 'firstMs') }],
    timelines: [{ name: 'gets that found, by 10 s', points: overTime(kept) }],
  });
};

/** The network in two halves that cannot reach each other, then whole again. */
const partition: Scenario = (options) => {
  const cluster = build(options);
  const { simulator } = cluster;
  const { network } = simulator;
  for (const node of cluster.alive) network.setGroup(node.host, node.host % 2);
  network.setBlocked(0, 1, true);
  network.setBlocked(1, 0, true);
  simulator.run(SPLIT_MS / 2);
  // Phase one, safety: both sides go on writing.
  const sides = [0, 1].map((side) => cluster.alive.filter((node) => network.group(node.host) === side));
  const puts = sides.flatMap((nodes) => publish(cluster, nodes.slice(0, 5)));
  simulator.run(SPLIT_MS / 2);
  options.progress('healing');
  network.heal();
  // Phase two, liveness: the network must become one.
  const healedMs = simulator.nowMs;
  const points: [number, number][] = [];
  let healSeconds = Number.POSITIVE_INFINITY;
  for (let second = 0; second <= 120; second += 5) {
    const recall = cluster.tableRecall(RECALL_SAMPLES);
    points.push([second, recall]);
    if (recall >= 0.99 && healSeconds === Number.POSITIVE_INFINITY) healSeconds = second;
    options.progress(`${second} s after healing: recall ${recall.toFixed(3)}`);
    simulator.run(healedMs + (second + 5) * 1000 - simulator.nowMs);
  }
  const keys = held(puts);
  const gets = openLoop(
    cluster,
    options.lookups,
    20,
    (i) => {
      const put = keys[i % keys.length] as Attempt;
      const other = sides[1 - network.group(put.host)] as StackNode[];
      return cluster.get(other[simulator.rng.u32() % other.length] as StackNode, put.target);
    },
    options,
  );
  return outcome('partition', 'Two halves for an hour with writes on both sides, then one network', cluster, {
    figures: {
      'puts while split that reached their holders': share(puts),
      'seconds to table recall 0.99': healSeconds,
      'table recall after 120 s': points.at(-1)?.[1] ?? Number.NaN,
      "gets of the other side's records": share(gets),
      ...quantiles('first answer', times(gets, 'firstMs')),
    },
    latencies: [{ name: "get of the other side's record", samples: times(gets, 'firstMs') }],
    timelines: [{ name: 'table recall after healing', points }],
  });
};

/** Sixty per cent of the nodes stop answering at once. */
const mute: Scenario = (options) => {
  const cluster = build(options);
  const { simulator } = cluster;
  const puts = publish(cluster, cluster.alive.slice(0, 10));
  const keys = held(puts).map((put) => put.target);
  const readOne = (i: number): Attempt => read(cluster, keys[i % keys.length] as Uint8Array);
  const before = openLoop(cluster, options.lookups, 20, readOne, options);
  const silent = Math.floor(options.nodes * 0.6);
  for (let i = 0; i < silent; i++) simulator.setMute(cluster.someone().host, true);
  const at = openLoop(cluster, options.lookups, 20, readOne, options);
  simulator.run(120_000);
  const later = openLoop(cluster, options.lookups, 20, readOne, options);
  return outcome('mute', '60 % of the nodes go mute at once', cluster, {
    figures: {
      ...quantiles('before: first answer', times(before, 'firstMs')),
      ...quantiles('at once: first answer', times(at, 'firstMs')),
      ...quantiles('2 min later: first answer', times(later, 'firstMs')),
      'found before': share(before),
      'found at once': share(at),
      'found 2 min later': share(later),
    },
    latencies: [
      { name: 'before', samples: times(before, 'firstMs') },
      { name: 'at once', samples: times(at, 'firstMs') },
      { name: '2 min later', samples: times(later, 'firstMs') },
    ],
  });
};

/** Share of attempts that found, by ten seconds of their start. */
function overTime(attempts: readonly Attempt[]): [number, number][] {
  const first = attempts[0]?.startedMs ?? 0;
  const slots = new Map<number, Attempt[]>();
  for (const attempt of attempts) {
    const slot = Math.floor((attempt.startedMs - first) / 10_000) * 10;
    slots.set(slot, [...(slots.get(slot) ?? []), attempt]);
  }
  return [...slots].map(([slot, inSlot]) => [slot, share(inSlot)]);
}

export const scenarios: Readonly<Record<string, Scenario>> = { steady, churn, partition, mute };
