/** A network in two, and one again. */
import { blake3, toHex } from '@molia/core';
import { createStubIdentity } from '@molia/sim';
import { createMutable, mutableKey } from '@molia/wire';
import type { Cluster } from '../cluster.ts';
import type { Attempt } from '../cluster-options.ts';
import { ofHeld, overTime, quantiles, recallOf, Stage, share, times } from './load.ts';
import { near } from './regions.ts';
import type { Aim, Outcome, Scenario, ScenarioOptions } from './scenario.ts';

const RECALL_SAMPLES = 50;
const FINDS = 40;
/** Long enough for every table to have given the other side up: each contact is heard within 15 minutes. */
const SPLIT_HOURS = 1;
/** After healing. */
const VISIBLE_MS = 300_000;
const TTL_SECS = 86_400;
const NEWS = 10;
const READERS = 20;

const AIMS: readonly Aim[] = [
  { figure: 'seconds to recall 0.99', most: 60 },
  { figure: "other side's records found after 5 min", least: 0.999 },
  { figure: 'newest sequence read after 5 min', least: 0.999 },
  { figure: 'sequences that went back at a reader', most: 0 },
];

/**
 * The half of the hosts that lie nearest to one place cannot reach the others for an hour, both ways. Half way through both
 * sides publish immutable records, and both write the same mutable records: half of them with a lower sequence on one side,
 * half with the same sequence and other values. Then all is whole again. Measured: seconds until tables and lookups first
 * name 0.99 of the truly closest, and the least of each from then on; gets of the other side's records that start five minutes after; what a panel of readers on both
 * sides, who remember nothing, is given for each mutable record at 0, 1, 2 and 5 minutes.
 */
export const partition: Scenario = {
  title: 'Two halves for an hour with writes on both sides, then one network',
  demands: 'one network within a minute, the other side visible within five, no sequence goes back',
  aims: AIMS,
  run: (options) => split('partition', partition, options, 0.5),
};

/** As `partition`, with a tenth of the hosts on one side. */
export const minority: Scenario = {
  title: 'A tenth of the nodes apart for an hour with writes on both sides, then one network',
  demands: 'as partition, for a side of a tenth',
  aims: AIMS,
  run: (options) => split('minority', minority, options, 0.1),
};

function split(name: string, scenario: Scenario, options: ScenarioOptions, part: number): Outcome {
  const stage = new Stage(options);
  const { cluster, simulator } = stage;
  const { network } = simulator;
  const small = near(cluster, part);
  for (const host of cluster.alive) network.setGroup(host, small.has(host) ? 1 : 0);
  const sides = [0, 1].map((side) => cluster.alive.filter((host) => network.group(host) === side));
  const draw = (side: number): number => pick(cluster, sides[side] as number[]);
  const news = Array.from({ length: NEWS }, (_, i) => new Story(cluster, i));
  for (const story of news) story.write(draw(0), 1, 0);
  stage.pass('publishing', 15_000);
  network.setBlocked(0, 1, true);
  network.setBlocked(1, 0, true);
  const splitMs = (options.hours ?? SPLIT_HOURS) * 3_600_000;
  stage.pass('split', splitMs / 2);
  const puts = sides.flatMap((hosts) => stage.publish(hosts.slice(0, 5), 25));
  const writes = news.flatMap((story, i) => [
    story.write(draw(0), 2, 0),
    i % 2 === 0 ? story.write(draw(1), 3, 1) : story.write(draw(1), 2, 1),
  ]);
  stage.pass('split', splitMs / 2);
  network.heal();
  const healedMs = simulator.nowMs;
  const readers = Array.from({ length: READERS }, (_, i) => draw(i % 2));
  const panel: Attempt[][] = [];
  const ask = (): void => {
    panel.push(readers.flatMap((reader) => news.map((story) => cluster.get(reader, story.key))));
  };
  for (const ms of [0, 60_000, 120_000, VISIBLE_MS]) simulator.call(ms, ask);
  const tables: [number, number][] = [];
  const lookups: [number, number][] = [];
  let healSeconds = Number.POSITIVE_INFINITY;
  let leastTable = 1;
  let leastLookup = 1;
  for (let second = 0; second <= 300 && !stage.stopped; second += second < 60 ? 5 : 20) {
    simulator.run(Math.max(0, healedMs + second * 1000 - simulator.nowMs));
    const finds = Array.from({ length: FINDS }, () => cluster.find(cluster.someone(), cluster.randomKey()));
    const table = cluster.tableRecall(RECALL_SAMPLES);
    simulator.run(3_000);
    cluster.collect(finds);
    const lookup = recallOf(finds);
    tables.push([second, table]);
    lookups.push([second, lookup]);
    if (Math.min(table, lookup) >= 0.99) healSeconds = Math.min(healSeconds, second);
    if (healSeconds < second) {
      leastTable = Math.min(leastTable, table);
      leastLookup = Math.min(leastLookup, lookup);
    }
    stage.tell('healing', second / 300);
  }
  stage.pass('healing', Math.max(0, healedMs + VISIBLE_MS - simulator.nowMs));
  const gets = ofHeld(
    stage.openLoop('gets', options.lookups, 20, (i) => {
      const put = puts[i % puts.length] as Attempt;
      return cluster.get(draw(1 - network.group(put.host)), put.target);
    }),
    puts,
  );
  cluster.collect([...writes, ...panel.flat()]);
  const last = panel.at(-1) ?? [];
  const newest = last.filter((attempt) => news.some((story) => story.isNewest(attempt)));
  return stage.outcome(name, scenario, {
    figures: {
      'puts while split that reached their holders': share([...puts, ...writes]),
      'seconds to recall 0.99': healSeconds,
      'least table recall from then on': leastTable,
      'least lookup recall from then on': leastLookup,
      'table recall after 5 min': tables.at(-1)?.[1] ?? Number.NaN,
      'lookup recall after 5 min': lookups.at(-1)?.[1] ?? Number.NaN,
      "other side's records found after 5 min": share(gets),
      'newest sequence read after 5 min': newest.length / last.length,
      'sequences that went back at a reader': regressions(panel),
      ...quantiles('first answer', times(gets, 'firstMs')),
    },
    latencies: [{ name: "get of the other side's record", samples: times(gets, 'firstMs') }],
    timelines: [
      { name: 'table recall after healing', unit: 'share', points: tables },
      { name: 'lookup recall after healing', unit: 'share', points: lookups },
      { name: "other side's records found", unit: 'share', points: overTime(gets, 10, healedMs) },
    ],
  });
}

/** A mutable record that many write: anybody who has its key can sign. */
class Story {
  readonly key: Uint8Array;
  readonly #cluster: Cluster;
  readonly #identity: ReturnType<typeof createStubIdentity>;
  #newest = 0;

  constructor(cluster: Cluster, index: number) {
    this.#cluster = cluster;
    this.#identity = createStubIdentity(blake3(new TextEncoder().encode(`story ${index}`)));
    this.key = mutableKey(this.#identity.publicKey, new TextEncoder().encode('sim'), new Uint8Array(0));
  }

  write(host: number, sequence: number, side: number): Attempt {
    this.#newest = Math.max(this.#newest, sequence);
    const value = new Uint8Array([sequence, side]);
    const record = createMutable({
      identity: this.#identity,
      namespace: 'sim',
      sequence,
      value,
      ttlSecs: TTL_SECS,
    });
    return this.#cluster.store(host, record, this.key);
  }

  isNewest(attempt: Attempt): boolean {
    return attempt.target === this.key && attempt.ok && attempt.sequence === this.#newest;
  }
}

/** How often the same reader was given a lower sequence of a key than before. */
function regressions(panel: readonly (readonly Attempt[])[]): number {
  const seen = new Map<string, number>();
  let count = 0;
  for (const attempt of panel.flat()) {
    if (!attempt.ok) continue;
    const name = `${attempt.host} ${toHex(attempt.target)}`;
    const before = seen.get(name) ?? 0;
    if (attempt.sequence < before) count++;
    seen.set(name, Math.max(before, attempt.sequence));
  }
  return count;
}

function pick(cluster: Cluster, hosts: readonly number[]): number {
  return hosts[cluster.simulator.rng.u32() % hosts.length] as number;
}
