/** What a scenario is given and what it tells. */
import type { Tuning } from '@molia/kademlia';
import type { Crew, LatencyMatrix } from '@molia/sim';

export const populatings = ['joined', 'oracle', 'compact'] as const;
export type Populating = (typeof populatings)[number];

export interface ScenarioOptions {
  /** Nodes that are up at the start, or on average. */
  readonly nodes: number;
  readonly seed: number;
  readonly matrix: LatencyMatrix;
  /** Textbook Kademlia: α = 3, one timeout for all, no proximity. */
  readonly baseline: boolean;
  /** Operations of each measurement. */
  readonly lookups: number;
  /** How the nodes come in, see `ClusterOptions`; `compact` is an oracle's compact network. */
  readonly population?: Populating;
  readonly replay: string;
  /** Replaces the scenario's own length, where it has one. */
  readonly hours?: number;
  /** churn: share of the nodes that never leave. Default 0. */
  readonly stable?: number;
  /** Parts of the engine switched off or changed. */
  readonly tuning?: Partial<Tuning>;
  /** Invariants watched at every event. Their memory grows with the run, so they are for small ones. */
  readonly watch: boolean;
  readonly progress: (progress: Progress) => void;
  /** The threads that share the run; one alone unless told. */
  readonly crew?: Crew | undefined;
  /** `true`: end with what there is. */
  readonly stopped?: () => boolean;
}

export interface Progress {
  readonly phase: string;
  /** Of the phase: 0 to 1. */
  readonly share: number;
  readonly simulatedMs: number;
  /** Events taken since the start. */
  readonly events: number;
}

/** Samples in milliseconds, failures as Infinity. */
export interface Series {
  readonly name: string;
  readonly samples: readonly number[];
}

/** Something over seconds of simulated time. */
export interface Timeline {
  readonly name: string;
  /** What the values are: a share from 0 to 1, or a rate. */
  readonly unit: 'share' | 'bytes a node and second';
  readonly points: readonly (readonly [number, number])[];
}

/** What a figure should be. A figure that is missing or NaN misses it. */
export interface Aim {
  readonly figure: string;
  readonly least?: number;
  readonly most?: number;
}

export interface Outcome {
  readonly scenario: string;
  readonly title: string;
  readonly figures: Readonly<Record<string, number>>;
  readonly aims: readonly Aim[];
  readonly latencies: readonly Series[];
  readonly timelines: readonly Timeline[];
  /** Broken invariants: such a run has failed, whatever its figures say. */
  readonly failures: readonly string[];
  readonly digest: string;
  readonly simulatedSeconds: number;
  readonly events: number;
  /** It was stopped before its end. */
  readonly partial: boolean;
}

export interface Scenario {
  readonly title: string;
  /** One sentence for `--help` and tables. */
  readonly demands: string;
  readonly aims: readonly Aim[];
  run(options: ScenarioOptions): Outcome;
}

export function isMet(aim: Aim, figures: Readonly<Record<string, number>>): boolean {
  const figure = figures[aim.figure];
  if (figure === undefined || Number.isNaN(figure)) return false;
  return (
    figure >= (aim.least ?? Number.NEGATIVE_INFINITY) && figure <= (aim.most ?? Number.POSITIVE_INFINITY)
  );
}

/** The 50th, 95th and 99th percentile of a figure, in milliseconds, as aims. */
export function within(name: string, ...most: number[]): Aim[] {
  return most.map((ms, i) => ({ figure: `${name} P${[50, 95, 99][i]} ms`, most: ms }));
}
