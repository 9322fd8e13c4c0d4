/**
 * Who is there, as columns: keys, ids and whether each host lives, known without any engine, so that a script can be
 * followed by a process that runs only some of the nodes, or none. And the truth that only an onlooker knows: the live
 * hosts closest to a target, from a list in the order of ids that is walked as the binary trie it is.
 */
import { compareDistance, copyBytes, grow, ID_BYTES } from '@molia/core';

const anybody = (): boolean => true;
/** Ranges up to this length are sorted by distance. */
const LEAF = 8;

export class Population {
  /** Hosts ever added. */
  count = 0;
  /** Hosts that live. */
  live = 0;
  /** By host: 32 bytes each. */
  seeds: Uint8Array = new Uint8Array(0);
  keys: Uint8Array = new Uint8Array(0);
  ids: Uint8Array = new Uint8Array(0);
  #live: Uint8Array = new Uint8Array(0);
  /** What was added since is in `#fresh`; who left stays until half have left, then is in `#dropped`. */
  #sorted = new SortedHosts(this, new Int32Array(0), new Uint32Array(0));
  #gone = 0;
  #fresh: number[] = [];
  readonly #dropped = new Set<number>();

  /** The next host, alive: the seed of its identity, and what follows from that. 32 bytes each, copied. */
  add(seed: Uint8Array, publicKey: Uint8Array, id: Uint8Array): void {
    const host = this.count++;
    if (host >= this.#live.length) {
      const rows = Math.max(64, host * 2);
      this.seeds = grow(this.seeds, rows * ID_BYTES);
      this.keys = grow(this.keys, rows * ID_BYTES);
      this.ids = grow(this.ids, rows * ID_BYTES);
      this.#live = grow(this.#live, rows);
    }
    copyBytes(this.seeds, host * ID_BYTES, seed, 0, ID_BYTES);
    copyBytes(this.keys, host * ID_BYTES, publicKey, 0, ID_BYTES);
    copyBytes(this.ids, host * ID_BYTES, id, 0, ID_BYTES);
    this.#live[host] = 1;
    this.live++;
    this.#fresh.push(host);
  }

  /** A host is gone, for good or until `restore`. */
  remove(host: number): void {
    if (this.#live[host] !== 1) return;
    this.#live[host] = 0;
    this.live--;
    this.#gone++;
  }

  /** A host that was gone is back, under its id. */
  restore(host: number): void {
    if (this.#live[host] !== 0) return;
    this.#live[host] = 1;
    this.live++;
    if (this.#dropped.delete(host)) this.#fresh.push(host);
    else this.#gone--;
  }

  isLive(host: number): boolean {
    return this.#live[host] === 1;
  }

  /** Copies. */
  seed(host: number): Uint8Array {
    return this.seeds.slice(host * ID_BYTES, (host + 1) * ID_BYTES);
  }

  publicKey(host: number): Uint8Array {
    return this.keys.slice(host * ID_BYTES, (host + 1) * ID_BYTES);
  }

  id(host: number): Uint8Array {
    return this.ids.slice(host * ID_BYTES, (host + 1) * ID_BYTES);
  }

  /** The `count` live hosts closest to a target of those that `accept` takes, closest first. */
  closest(target: Uint8Array, count: number, accept: (host: number) => boolean = anybody): number[] {
    this.#merge();
    return this.#sorted.closest(target, count, (host) => this.#live[host] === 1 && accept(host));
  }

  /** The hosts that live now, for as long as it is kept. */
  snapshot(): SortedHosts {
    this.#gone = Math.max(this.#gone, this.#sorted.hosts.length);
    this.#merge();
    return this.#sorted;
  }

  /** All in one go, so that a million take one sort. */
  #merge(): void {
    const old = this.#sorted.hosts;
    if (this.#fresh.length === 0 && (this.#gone === 0 || this.#gone * 2 <= old.length)) return;
    const { ids } = this;
    const before = (a: number, b: number): number =>
      wordAt(ids, a * ID_BYTES) - wordAt(ids, b * ID_BYTES) || compareBytes(ids, a * ID_BYTES, b * ID_BYTES);
    const fresh = Int32Array.from(this.#fresh).sort(before);
    const hosts = new Int32Array(old.length + fresh.length);
    let next = 0;
    let count = 0;
    const write = (host: number): void => {
      if (this.#live[host] === 1) hosts[count++] = host;
      else this.#dropped.add(host);
    };
    for (const host of old) {
      while (next < fresh.length && before(fresh[next] as number, host) < 0) write(fresh[next++] as number);
      write(host);
    }
    while (next < fresh.length) write(fresh[next++] as number);
    const words = Uint32Array.from({ length: count }, (_, at) =>
      wordAt(ids, (hosts[at] as number) * ID_BYTES),
    );
    this.#sorted = new SortedHosts(this, hosts.slice(0, count), words);
    this.#gone = 0;
    this.#fresh = [];
  }
}

/** Hosts in the order of their ids; never changes, whoever leaves. */
export class SortedHosts {
  readonly hosts: Int32Array;
  /** First words of their ids. */
  readonly #words: Uint32Array;
  readonly #population: Population;

  constructor(population: Population, hosts: Int32Array, words: Uint32Array) {
    this.#population = population;
    this.hosts = hosts;
    this.#words = words;
  }

  /** The `count` hosts closest to a target of those that `accept` takes, closest first. */
  closest(target: Uint8Array, count: number, accept: (host: number) => boolean = anybody): number[] {
    const out: number[] = [];
    this.#visit(target, wordAt(target, 0), 0, this.hosts.length, 31, count, accept, out);
    return out;
  }

  /** Appends a range that shares all bits above `bit`, nearest half first. */
  #visit(
    target: Uint8Array,
    word: number,
    from: number,
    to: number,
    bit: number,
    count: number,
    accept: (host: number) => boolean,
    out: number[],
  ): void {
    if (out.length >= count || from === to) return;
    if (to - from <= LEAF || bit < 0) {
      this.#leaf(target, from, to, count, accept, out);
      return;
    }
    const middle = this.#firstWithBit(from, to, bit);
    const ones = ((word >>> bit) & 1) === 1;
    if (ones) this.#visit(target, word, middle, to, bit - 1, count, accept, out);
    else this.#visit(target, word, from, middle, bit - 1, count, accept, out);
    if (ones) this.#visit(target, word, from, middle, bit - 1, count, accept, out);
    else this.#visit(target, word, middle, to, bit - 1, count, accept, out);
  }

  #leaf(
    target: Uint8Array,
    from: number,
    to: number,
    count: number,
    accept: (host: number) => boolean,
    out: number[],
  ): void {
    const { ids } = this.#population;
    const first = out.length;
    for (let at = from; at < to; at++) {
      const host = this.hosts[at] as number;
      if (!accept(host)) continue;
      let place = out.length;
      while (
        place > first &&
        compareDistance(target, 0, ids, host * ID_BYTES, ids, (out[place - 1] as number) * ID_BYTES) < 0
      ) {
        out[place] = out[place - 1] as number;
        place--;
      }
      out[place] = host;
    }
    if (out.length > count) out.length = count;
  }

  #firstWithBit(from: number, to: number, bit: number): number {
    let left = from;
    let right = to;
    while (left < right) {
      const middle = (left + right) >>> 1;
      if ((((this.#words[middle] as number) >>> bit) & 1) === 0) left = middle + 1;
      else right = middle;
    }
    return left;
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}

function compareBytes(bytes: Uint8Array, a: number, b: number): number {
  for (let i = 0; i < ID_BYTES; i++) {
    const difference = (bytes[a + i] as number) - (bytes[b + i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}
