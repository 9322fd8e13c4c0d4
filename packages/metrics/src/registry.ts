/**
 * A metric registry that is read, not written: storeys keep counting in their own columns, and `expose` reads them
 * when somebody scrapes. Source: Prometheus text exposition format 0.0.4 and its naming rules (base units, `_total`
 * on counters and only there). It refuses names with other units, and label sets that are not fixed at registration.
 */
import { FAMILIES_MAX, LABEL_VALUE_CHARS_MAX, NAME_CHARS_MAX, NAME_PREFIX, SERIES_MAX } from './constants.ts';

/** Label names and values of one series; both come from closed sets. */
export type Labels = Readonly<Record<string, string>>;

/** Core's `Counters`, as far as the registry reads them. */
export interface CounterSource {
  readonly names: readonly string[];
  readonly values: ArrayLike<number>;
}

/** Core's `Histogram`, as far as the registry reads it. */
export interface HistogramSource {
  readonly count: number;
  readonly sum: number;
  /** How many values fell into each bucket. */
  readonly buckets: ArrayLike<number>;
  /** Largest value that counts in bucket `index`, rising with it. */
  upperBound(index: number): number;
}

export interface HistogramOptions {
  /** Upper bounds of the exposed buckets, rising, in the unit of the metric; `+Inf` is added. */
  readonly bounds: readonly number[];
  /** Multiplies values of the source into the metric's base unit: 0.001 for milliseconds. Default 1. */
  readonly scale?: number;
}

type Kind = 'counter' | 'gauge' | 'histogram';

interface Series {
  /** Labels as they are printed, without braces, sorted; the identity of the series. */
  readonly labels: string;
  /** Readings are summed: one per shard. */
  readonly reads: (() => number)[];
  readonly sources: HistogramSource[];
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly kind: Kind;
  readonly histogram: HistogramOptions | undefined;
  readonly series: Map<string, Series>;
}

/** Endings that say a unit which is not a base unit (seconds, bytes, ratio). */
const DERIVED_UNITS =
  /_(ms|millis|milliseconds|us|micros|microseconds|ns|nanoseconds|minutes|hours|days|kb|kib|mb|mib|gb|gib|bits|percent)$/;
const NAME = /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/;
const RESERVED_SUFFIX = /_(count|sum|bucket|info|created)$/;

/** Holds what `/metrics` shows. Registering one series again adds a reading to it: that is how shards are summed. */
export class Registry {
  readonly #families = new Map<string, Family>();

  /** A value that only rises; `name` without prefix, ends in `_total`. */
  counter(name: string, help: string, read: () => number, labels: Labels = {}): void {
    this.#series('counter', name, help, labels, undefined).reads.push(read);
  }

  /** A value that rises and falls. */
  gauge(name: string, help: string, read: () => number, labels: Labels = {}): void {
    this.#series('gauge', name, help, labels, undefined).reads.push(read);
  }

  /** A distribution with fixed buckets. */
  histogram(
    name: string,
    help: string,
    source: HistogramSource,
    options: HistogramOptions,
    labels: Labels = {},
  ): void {
    let last = Number.NEGATIVE_INFINITY;
    for (const bound of options.bounds) {
      if (!(bound > last) || !Number.isFinite(bound)) {
        throw new RangeError(`bounds of ${name}: finite and rising, found ${bound} after ${last}`);
      }
      last = bound;
    }
    this.#series('histogram', name, help, labels, options).sources.push(source);
  }

  /**
   * One counter family per name of `source`: `<group>_<name in snake case>_total`.
   * `describe` gives the HELP text; the default is the name in words.
   */
  counters(
    group: string,
    source: CounterSource,
    labels: Labels = {},
    describe: (name: string) => string = wordsOf,
  ): void {
    for (let i = 0; i < source.names.length; i++) {
      const name = source.names[i] as string;
      const full = `${group}_${snakeOf(name)}`;
      this.counter(
        full.endsWith('_total') ? full : `${full}_total`,
        describe(name),
        () => source.values[i] ?? 0,
        labels,
      );
    }
  }

  /** The whole registry as text, families and series in a stable order. */
  expose(): string {
    const lines: string[] = [];
    const names = [...this.#families.keys()].sort();
    for (const name of names) {
      const family = this.#families.get(name) as Family;
      lines.push(`# HELP ${family.name} ${escapeHelp(family.help)}`, `# TYPE ${family.name} ${family.kind}`);
      for (const key of [...family.series.keys()].sort()) {
        exposeSeries(lines, family, family.series.get(key) as Series);
      }
    }
    lines.push('');
    return lines.join('\n');
  }

  #series(
    kind: Kind,
    shortName: string,
    help: string,
    labels: Labels,
    histogram: HistogramOptions | undefined,
  ): Series {
    const name = `${NAME_PREFIX}${shortName}`;
    checkName(kind, name, shortName);
    if (help.length === 0) throw new RangeError(`${name}: help must say what is measured`);
    let family = this.#families.get(name);
    if (family === undefined) {
      if (this.#families.size >= FAMILIES_MAX)
        throw new RangeError(`more than ${FAMILIES_MAX} metric families`);
      family = { name, help, kind, histogram, series: new Map() };
      this.#families.set(name, family);
    }
    if (family.kind !== kind) throw new RangeError(`${name} is a ${family.kind}, not a ${kind}`);
    if (String(family.histogram?.bounds) !== String(histogram?.bounds)) {
      throw new RangeError(`${name}: one family has one set of bounds`);
    }
    const key = labelsText(name, labels);
    let series = family.series.get(key);
    if (series === undefined) {
      if (family.series.size >= SERIES_MAX) {
        throw new RangeError(
          `${name}: more than ${SERIES_MAX} series; label values must come from a small set`,
        );
      }
      series = { labels: key, reads: [], sources: [] };
      family.series.set(key, series);
    }
    return series;
  }
}

function exposeSeries(lines: string[], family: Family, series: Series): void {
  const { name } = family;
  const { labels } = series;
  const braces = labels === '' ? '' : `{${labels}}`;
  if (family.kind !== 'histogram') {
    let total = 0;
    for (const read of series.reads) total += read();
    lines.push(`${name}${braces} ${numberText(total)}`);
    return;
  }
  const options = family.histogram as HistogramOptions;
  const scale = options.scale ?? 1;
  const comma = labels === '' ? '' : `${labels},`;
  let count = 0;
  let sum = 0;
  for (const source of series.sources) {
    count += source.count;
    sum += source.sum * scale;
  }
  for (const bound of options.bounds) {
    let atMost = 0;
    for (const source of series.sources) atMost += countAtMost(source, bound / scale);
    lines.push(`${name}_bucket{${comma}le="${numberText(bound)}"} ${numberText(atMost)}`);
  }
  lines.push(
    `${name}_bucket{${comma}le="+Inf"} ${numberText(count)}`,
    `${name}_sum${braces} ${numberText(sum)}`,
    `${name}_count${braces} ${numberText(count)}`,
  );
}

/** Values that surely are at most `bound`: whole buckets only, so a value may show one exposed bucket too late. */
function countAtMost(source: HistogramSource, bound: number): number {
  let count = 0;
  for (let i = 0; i < source.buckets.length && source.upperBound(i) <= bound; i++) {
    count += source.buckets[i] as number;
  }
  return count;
}

function checkName(kind: Kind, name: string, shortName: string): void {
  if (!NAME.test(shortName) || name.length > NAME_CHARS_MAX) {
    throw new RangeError(
      `metric name ${JSON.stringify(shortName)}: snake_case, at most ${NAME_CHARS_MAX} characters`,
    );
  }
  if (shortName.startsWith(NAME_PREFIX))
    throw new RangeError(`${shortName}: the prefix is added by the registry`);
  const total = shortName.endsWith('_total');
  if (total !== (kind === 'counter'))
    throw new RangeError(`${name}: _total belongs to counters, and only there`);
  const bare = total ? shortName.slice(0, -6) : shortName;
  if (DERIVED_UNITS.test(bare)) throw new RangeError(`${name}: use base units (seconds, bytes, ratio)`);
  if (RESERVED_SUFFIX.test(bare)) throw new RangeError(`${name}: this ending is reserved by the format`);
}

function labelsText(name: string, labels: Labels): string {
  const parts: string[] = [];
  for (const key of Object.keys(labels).sort()) {
    const value = labels[key] as string;
    if (!NAME.test(key) || key === 'le' || key === 'quantile') {
      throw new RangeError(`${name}: label name ${JSON.stringify(key)}`);
    }
    if (typeof value !== 'string' || value.length > LABEL_VALUE_CHARS_MAX) {
      throw new RangeError(`${name}: label ${key} is a text of at most ${LABEL_VALUE_CHARS_MAX} characters`);
    }
    parts.push(`${key}="${escapeLabel(value)}"`);
  }
  return parts.join(',');
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}

/** `dropBadMac` and `drop-bad-mac` become `drop_bad_mac`. */
function snakeOf(name: string): string {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, '$1_$2')
    .replaceAll(/[^A-Za-z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '')
    .toLowerCase();
}

function wordsOf(name: string): string {
  const words = snakeOf(name).replaceAll('_', ' ');
  return `${words.slice(0, 1).toUpperCase()}${words.slice(1)}.`;
}
