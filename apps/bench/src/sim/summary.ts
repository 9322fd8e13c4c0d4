/**
 * What several seeds of one scenario say together: figures with their spread, curves instead of all samples. This is the
 * JSON that `--json` writes, that pages are made from, and that the repository keeps.
 */
import { median } from '../statistics.ts';
import { type Aim, isMet, type Outcome, type Timeline } from './scenarios/index.ts';

/** One seed under one name: Molia, the textbook, or Molia without something. */
export interface Run {
  readonly name: string;
  readonly seed: number;
  readonly outcome: Outcome;
  readonly wallSeconds: number;
}

/** `null` stands for infinity: it never came. */
export type Value = number | null;

export interface Figure {
  readonly median: Value;
  /** 95 % confidence interval of the mean over seeds (Student's t); absent for one seed. */
  readonly interval?: readonly [Value, Value];
  /** By seed. */
  readonly values: readonly Value[];
}

export interface Curve {
  readonly name: string;
  /** Samples of all seeds, failures included. */
  readonly count: number;
  /** Share of the samples, and the milliseconds within which they came. Ends below 1 where some never came. */
  readonly points: readonly (readonly [number, number])[];
}

export interface Variant {
  readonly name: string;
  readonly figures: Readonly<Record<string, Figure>>;
  readonly curves: readonly Curve[];
  readonly timelines: readonly Timeline[];
  /** Broken invariants, with the seed. */
  readonly failures: readonly string[];
  /** Of the event log, by seed. */
  readonly digests: readonly string[];
  readonly simulatedSeconds: number;
  readonly events: number;
  readonly wallSeconds: number;
}

export interface Summary {
  readonly v: 1;
  readonly scenario: string;
  readonly title: string;
  readonly demands: string;
  readonly command: string;
  readonly commit: string;
  readonly date: string;
  readonly nodes: number;
  readonly seeds: readonly number[];
  readonly lookups: number;
  /** Stopped before its end. */
  readonly partial: boolean;
  readonly aims: readonly Aim[];
  readonly variants: readonly Variant[];
}

/** Two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom. */
const T95 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
  2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];
const T95_BEYOND = 1.96;
/** Enough for a smooth line of 700 pixels, and close steps in the tail. */
const CURVE_POINTS = 120;
const TAIL = [0.985, 0.99, 0.9925, 0.995, 0.9975, 0.999, 0.9995, 0.9999, 1];

export function summarise(
  about: Pick<Summary, 'command' | 'commit' | 'date' | 'nodes' | 'lookups'> & { readonly demands: string },
  runs: readonly Run[],
): Summary {
  const first = (runs[0] as Run).outcome;
  const names = [...new Set(runs.map((run) => run.name))];
  return {
    v: 1,
    scenario: first.scenario,
    title: first.title,
    ...about,
    seeds: [...new Set(runs.map((run) => run.seed))],
    partial: runs.some((run) => run.outcome.partial),
    aims: first.aims,
    variants: names.map((name) =>
      variantOf(
        name,
        runs.filter((run) => run.name === name),
      ),
    ),
  };
}

/** Whether the median of a figure is what it should be. */
export function aimMet(aim: Aim, variant: Variant): boolean {
  const figure = variant.figures[aim.figure];
  return figure !== undefined && isMet(aim, { [aim.figure]: figure.median ?? Number.POSITIVE_INFINITY });
}

function variantOf(name: string, runs: readonly Run[]): Variant {
  const outcomes = runs.map((run) => run.outcome);
  const figures = [...new Set(outcomes.flatMap((outcome) => Object.keys(outcome.figures)))];
  const curves = [...new Set(outcomes.flatMap((outcome) => outcome.latencies.map((series) => series.name)))];
  const sum = (of: (run: Run) => number): number => runs.reduce((all, run) => all + of(run), 0);
  return {
    name,
    figures: Object.fromEntries(
      figures.map((figure) => [
        figure,
        figureOf(outcomes.map((outcome) => outcome.figures[figure] ?? Number.NaN)),
      ]),
    ),
    curves: curves.map((curve) =>
      curveOf(
        curve,
        outcomes.flatMap(
          (outcome) => outcome.latencies.find((series) => series.name === curve)?.samples ?? [],
        ),
      ),
    ),
    timelines: timelinesOf(outcomes),
    failures: runs.flatMap((run) => run.outcome.failures.map((line) => `seed ${run.seed}: ${line}`)),
    digests: outcomes.map((outcome) => outcome.digest),
    simulatedSeconds: Math.round(sum((run) => run.outcome.simulatedSeconds)),
    events: sum((run) => run.outcome.events),
    wallSeconds: Math.round(sum((run) => run.wallSeconds)),
  };
}

export function figureOf(values: readonly number[]): Figure {
  const known = values.filter((value) => !Number.isNaN(value));
  const plain = known.map(plainOf);
  if (known.length < 2)
    return { median: known.length === 0 ? null : plainOf(known[0] as number), values: plain };
  const mean = known.reduce((a, b) => a + b, 0) / known.length;
  const variance = known.reduce((a, b) => a + (b - mean) ** 2, 0) / (known.length - 1);
  const half = (T95[known.length - 2] ?? T95_BEYOND) * Math.sqrt(variance / known.length);
  return {
    median: plainOf(middle(known)),
    interval: Number.isFinite(mean) ? [plainOf(mean - half), plainOf(mean + half)] : [null, null],
    values: plain,
  };
}

/** Between the two in the middle where there are two. */
function middle(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = sorted.length >> 1;
  if (sorted.length % 2 === 1) return median(values);
  return ((sorted[at - 1] as number) + (sorted[at] as number)) / 2;
}

/** Seven digits tell more than any simulation knows. */
function plainOf(value: number): Value {
  return Number.isFinite(value) ? Number(value.toPrecision(7)) : null;
}

function curveOf(name: string, samples: readonly number[]): Curve {
  const sorted = samples.filter(Number.isFinite).sort((a, b) => a - b);
  const shares = [
    ...Array.from({ length: CURVE_POINTS }, (_, i) => ((i + 1) / CURVE_POINTS) * 0.98),
    ...TAIL,
  ].map((part) => (part * sorted.length) / Math.max(1, samples.length));
  const points: [number, number][] = [];
  for (const part of shares) {
    const at = Math.max(0, Math.ceil(part * samples.length - 1e-9) - 1);
    const ms = sorted[at];
    if (ms !== undefined) points.push([Number(part.toFixed(6)), Number(ms.toPrecision(5))]);
  }
  return { name, count: samples.length, points };
}

/** Points of one second are averaged over seeds. */
function timelinesOf(outcomes: readonly Outcome[]): Timeline[] {
  const lines = new Map<string, { unit: Timeline['unit']; at: Map<number, number[]> }>();
  for (const { name, unit, points } of outcomes.flatMap((outcome) => outcome.timelines)) {
    const line = lines.get(name) ?? { unit, at: new Map<number, number[]>() };
    lines.set(name, line);
    for (const [second, value] of points)
      if (!Number.isNaN(value)) line.at.set(second, [...(line.at.get(second) ?? []), value]);
  }
  return [...lines].map(([name, { unit, at }]) => ({
    name,
    unit,
    points: [...at]
      .sort((a, b) => a[0] - b[0])
      .map(([second, values]) => [
        second,
        Number((values.reduce((a, b) => a + b, 0) / values.length).toPrecision(5)),
      ]),
  }));
}
