/** What scenarios have in common: a network, records in it, operations at random instants, and what became of them. */
import type { Tuning } from '@molia/kademlia';
import { quantile } from '../../statistics.ts';
import { Invariants } from '../checkers.ts';
import { Cluster, type ClusterOptions } from '../cluster.ts';
import type { Attempt } from '../cluster-options.ts';
import type { Outcome, Scenario, ScenarioOptions } from './scenario.ts';

/** Kademlia as its paper has it. */
export const PLAIN: Partial<Tuning> = Object.freeze({
  alphaMin: 3,
  alphaStart: 3,
  alphaMax: 3,
  alphaReads: 3,
  proximity: false,
  fixedTimeoutMs: 1_000,
  lookupBudgetMs: 20_000,
  resend: false,
  endgame: false,
  widen: false,
  earlyStores: false,
});

const RECORDS = 50;
/** Longest piece of virtual time between two looks at whether the run is to stop. */
const SLICE_MS = 1_000;
/** Operations between two looks. */
const LOOK_EVERY = 20;
/** A get may take its whole budget, also the textbook's. */
const LAST_MS = 25_000;

/** One run of a scenario: its network and the habits of measuring. */
export class Stage {
  readonly cluster: Cluster;
  readonly options: ScenarioOptions;
  readonly #invariants: Invariants | undefined;
  #stopped = false;

  /** `cluster`: what this scenario needs of its network, beside what the options say. */
  constructor(options: ScenarioOptions, cluster: Partial<ClusterOptions> = {}) {
    this.options = options;
    const tuning = { ...(options.baseline ? PLAIN : {}), ...options.tuning };
    const population =
      options.population === undefined || options.population === 'joined' ? 'joined' : 'oracle';
    this.cluster = new Cluster({
      nodes: options.nodes,
      seed: options.seed,
      matrix: options.matrix,
      replay: options.replay,
      crew: options.crew,
      population,
      compact: options.population === 'compact',
      ...cluster,
      tuning: { ...cluster.tuning, ...tuning },
    });
    this.#invariants = options.watch ? new Invariants(this.cluster, tuning) : undefined;
    const nodes = cluster.nodes ?? options.nodes;
    this.cluster.populate((there) => this.tell('joining', there / nodes));
    if ((cluster.population ?? population) === 'oracle') this.#invariants?.trustTables();
  }

  get simulator(): Cluster['simulator'] {
    return this.cluster.simulator;
  }

  /** Whether the run is to end with what there is. */
  get stopped(): boolean {
    return this.#stopped;
  }

  tell(phase: string, share: number): void {
    const { nowMs, events } = this.simulator;
    this.options.progress({ phase, share, simulatedMs: nowMs, events });
  }

  /** Lets virtual time pass, in slices. */
  pass(phase: string, ms: number): void {
    const { simulator } = this;
    const end = simulator.nowMs + ms;
    // The simulator counts whole microseconds: what is left of one would never pass.
    while (end - simulator.nowMs >= 0.001 && !this.stopped) {
      simulator.run(Math.min(SLICE_MS, end - simulator.nowMs));
      this.#look();
      this.tell(phase, 1 - (end - simulator.nowMs) / ms);
    }
  }

  /** All threads must see it at the same place of the script. */
  #look(): void {
    const { stopped } = this.options;
    if (this.#stopped || stopped === undefined) return;
    this.#stopped = this.simulator.gather(stopped()).some(Boolean);
  }

  /** Publishes immutable records of 100 bytes from some hosts, in turn. */
  publish(publishers: readonly number[], records = RECORDS, everyMs = 100): Attempt[] {
    const puts: Attempt[] = [];
    for (let i = 0; i < records && !this.stopped; i++) {
      puts.push(this.cluster.put(publishers[i % publishers.length] as number));
      this.simulator.run(everyMs);
      this.tell('publishing', i / records);
    }
    this.pass('publishing', 15_000);
    this.cluster.collect(puts);
    return puts;
  }

  /** Starts operations at Poisson instants, `perSecond` on average, whether or not earlier ones have ended; then waits. */
  openLoop(
    phase: string,
    count: number,
    perSecond: number,
    start: (i: number) => Attempt | undefined,
  ): Attempt[] {
    const { simulator } = this;
    const attempts: Attempt[] = [];
    for (let i = 0; i < count && !this.stopped; i++) {
      const gapMs = simulator.generators.exponential(simulator.script, 1000 / perSecond);
      if (gapMs > SLICE_MS) this.pass(phase, gapMs);
      else simulator.run(gapMs);
      if (i % LOOK_EVERY === 0) this.#look();
      const attempt = start(i);
      if (attempt !== undefined) attempts.push(attempt);
      this.tell(phase, i / count);
    }
    simulator.run(LAST_MS);
    this.cluster.collect(attempts);
    return attempts;
  }

  /** A get from a host that should not hold the record already. */
  read(put: Attempt): Attempt {
    return this.cluster.get(this.cluster.asker(put.target, put.host), put.target);
  }

  /** Gets of the records of `puts` in turn, at Poisson instants. */
  reads(phase: string, puts: readonly Attempt[], perSecond: number): Attempt[] {
    return this.openLoop(phase, this.options.lookups, perSecond, (i) =>
      this.read(puts[i % puts.length] as Attempt),
    );
  }

  /** Random hosts look up random targets. */
  finds(phase: string, count: number, perSecond: number): Attempt[] {
    return this.openLoop(phase, count, perSecond, () =>
      this.cluster.find(this.cluster.someone(), this.cluster.randomKey()),
    );
  }

  /** From now on: what the network sends. */
  meter(): Meter {
    return new Meter(this.cluster);
  }

  outcome(
    name: string,
    scenario: Scenario,
    parts: Pick<Outcome, 'figures'> & Partial<Pick<Outcome, 'latencies' | 'timelines' | 'failures'>>,
  ): Outcome {
    this.#invariants?.finish();
    return {
      scenario: name,
      title: scenario.title,
      figures: parts.figures,
      aims: scenario.aims,
      latencies: parts.latencies ?? [],
      timelines: parts.timelines ?? [],
      failures: [...this.simulator.gather(this.cluster.violations).flat(), ...(parts.failures ?? [])],
      digest: this.simulator.digest(),
      simulatedSeconds: this.simulator.nowMs / 1000,
      events: this.simulator.totals().events,
      partial: this.stopped,
    };
  }
}

/** Traffic of all hosts since it was made. */
export class Meter {
  readonly #simulator: Cluster['simulator'];
  readonly #startMs: number;
  readonly #start: ReturnType<Cluster['simulator']['totals']>;

  constructor(cluster: Cluster) {
    this.#simulator = cluster.simulator;
    this.#startMs = cluster.simulator.nowMs;
    this.#start = cluster.simulator.totals();
  }

  /** What each of `nodes` sent a second until now, without IP and UDP headers. */
  perNode(nodes: number): Record<'bytes a node and second' | 'datagrams a node and second', number> {
    const { bytesOut, datagramsSent } = this.#simulator.totals();
    const nodeSeconds = (nodes * (this.#simulator.nowMs - this.#startMs)) / 1000;
    return {
      'bytes a node and second': (bytesOut - this.#start.bytesOut) / nodeSeconds,
      'datagrams a node and second': (datagramsSent - this.#start.datagramsSent) / nodeSeconds,
    };
  }
}

/** Attempts on records that their holders had taken: others say nothing about reading. */
export function ofHeld(attempts: readonly Attempt[], puts: readonly Attempt[]): Attempt[] {
  const held = new Set(puts.filter((put) => put.ok).map((put) => put.target));
  return attempts.filter((attempt) => held.has(attempt.target));
}

export const times = (attempts: readonly Attempt[], of: 'firstMs' | 'doneMs'): number[] =>
  attempts.map((attempt) => (attempt.ok ? attempt[of] : Number.POSITIVE_INFINITY));

export const share = (attempts: readonly Attempt[]): number =>
  attempts.length === 0 ? Number.NaN : attempts.filter((attempt) => attempt.ok).length / attempts.length;

export const mean = (numbers: readonly number[]): number =>
  numbers.length === 0 ? Number.NaN : numbers.reduce((a, b) => a + b, 0) / numbers.length;

export const recallOf = (finds: readonly Attempt[]): number =>
  mean(finds.map((find) => (Number.isNaN(find.recall) ? 0 : find.recall)));

export function quantiles(name: string, samples: readonly number[]): Record<string, number> {
  return Object.fromEntries(
    [0.5, 0.95, 0.99].map((q) => [`${name} P${q * 100} ms`, Math.round(quantile(samples, q))]),
  );
}

/** Share of attempts that found, by slots of their start. */
export function overTime(attempts: readonly Attempt[], slotSecs = 10, sinceMs?: number): [number, number][] {
  const first = sinceMs ?? attempts[0]?.startedMs ?? 0;
  const slots = new Map<number, Attempt[]>();
  for (const attempt of attempts) {
    const slot = Math.floor((attempt.startedMs - first) / (slotSecs * 1000)) * slotSecs;
    const inSlot = slots.get(slot);
    if (inSlot === undefined) slots.set(slot, [attempt]);
    else inSlot.push(attempt);
  }
  return [...slots].map(([slot, inSlot]) => [slot, share(inSlot)]);
}
