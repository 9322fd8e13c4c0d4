/** Named counters in cells of one Float64Array: an engine adds by index, `metrics` reads by name. */

/** Counters of one component; exact up to 2^53. */
export class Counters<Names extends readonly string[] = readonly string[]> {
  readonly names: Names;
  /** One cell a name, in the same order. Hot code may add to a cell itself. */
  readonly values: Float64Array;

  constructor(names: Names) {
    this.names = names;
    this.values = new Float64Array(names.length);
  }

  add(index: number, n: number): void {
    this.values[index] = (this.values[index] as number) + n;
  }

  /** The value of one counter. */
  get(name: Names[number]): number {
    return this.values[this.names.indexOf(name)] as number;
  }

  /** All of them as a plain object, for `stats`. */
  snapshot(): Record<Names[number], number> {
    const object = {} as Record<Names[number], number>;
    for (let i = 0; i < this.names.length; i++) {
      object[this.names[i] as Names[number]] = this.values[i] as number;
    }
    return object;
  }
}

/** `createCounters(['sent', 'dropped'] as const)`. Throws RangeError when a name is there twice. */
export function createCounters<const Names extends readonly string[]>(names: Names): Counters<Names> {
  if (new Set(names).size !== names.length) throw new RangeError(`counter names repeat: ${names.join(', ')}`);
  return new Counters(names);
}
