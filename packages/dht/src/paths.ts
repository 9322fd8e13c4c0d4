/**
 * The path table: interns remote endpoints (19 bytes, see core's `ENDPOINT_BYTES`) as handles, so that engines compare
 * integers. Bounded; when it is full the clock hand evicts a path that was not used since its last round, and its
 * handle goes stale. Looking up a known IPv4 endpoint allocates nothing.
 */
import {
  copyBytes,
  ENDPOINT_BYTES,
  equalBytes,
  grow,
  HandleTable,
  NONE,
  type Rng,
  writeEndpoint,
} from '@molia/core';

const INDEX_MASK = 0xfffff;

export class PathTable {
  readonly #handles: HandleTable;
  readonly #capacityMax: number;
  /** Mixed into every hash, so that nobody can choose addresses that collide. */
  readonly #salt: number;
  readonly #scratch = new Uint8Array(ENDPOINT_BYTES);
  #endpoints: Uint8Array;
  /** 1 = used since the clock hand passed. */
  #used: Uint8Array;
  /** First row of a hash chain, or `NONE`; its length is a power of two, at least the rows. */
  #heads: Int32Array;
  #next: Int32Array;
  #hand = 0;
  /** Paths that made room for others. */
  evictions = 0;

  constructor(rng: Rng, capacityMax: number) {
    this.#salt = rng.u32() | 0;
    this.#capacityMax = capacityMax;
    this.#handles = new HandleTable(capacityMax, { onGrow: (capacity) => this.#resize(capacity) });
    const rows = this.#handles.capacity;
    this.#endpoints = new Uint8Array(rows * ENDPOINT_BYTES);
    this.#used = new Uint8Array(rows);
    this.#next = new Int32Array(rows);
    this.#heads = new Int32Array(powerOfTwo(rows)).fill(NONE);
  }

  /** Live paths. */
  get count(): number {
    return this.#handles.count;
  }

  /** Path of a textual address without zone, or `NONE` when it is not one. IPv4-mapped IPv6 counts as IPv4. */
  ofAddress(address: string, port: number): number {
    const at = this.#scratch;
    if (writeIpv4(at, address)) {
      at[17] = port >>> 8;
      at[18] = port & 0xff;
    } else {
      try {
        writeEndpoint(at, 0, address, port);
      } catch {
        return NONE;
      }
    }
    return this.of(at, 0);
  }

  /** Path of the endpoint at `offset`; never `NONE`: a full table evicts. */
  of(endpoint: Uint8Array, offset: number): number {
    let bucket = this.#bucket(endpoint, offset);
    for (let row = this.#heads[bucket] as number; row !== NONE; row = this.#next[row] as number) {
      if (equalBytes(this.#endpoints, row * ENDPOINT_BYTES, endpoint, offset, ENDPOINT_BYTES)) {
        this.#used[row] = 1;
        return this.#handles.handleAt(row);
      }
    }
    if (this.#handles.count === this.#capacityMax) this.#evict();
    const handle = this.#handles.alloc();
    const row = handle & INDEX_MASK;
    bucket = this.#bucket(endpoint, offset);
    copyBytes(this.#endpoints, row * ENDPOINT_BYTES, endpoint, offset, ENDPOINT_BYTES);
    this.#next[row] = this.#heads[bucket] as number;
    this.#heads[bucket] = row;
    // A newcomer counts as used only when it comes back: a flood of strangers then evicts strangers.
    this.#used[row] = 0;
    return handle;
  }

  /** Where the endpoint of `path` lies in `bytes`, or `NONE` when the handle is stale. */
  offsetOf(path: number): number {
    const row = this.#handles.index(path);
    if (row === NONE) return NONE;
    this.#used[row] = 1;
    return row * ENDPOINT_BYTES;
  }

  /** The column that `offsetOf` points into. Replaced when the table grows: read it anew each time. */
  get bytes(): Uint8Array {
    return this.#endpoints;
  }

  #bucket(endpoint: Uint8Array, offset: number): number {
    let hash = this.#salt;
    for (let i = 0; i < ENDPOINT_BYTES; i++) {
      hash = Math.imul(hash ^ (endpoint[offset + i] as number), 0x01000193);
      hash ^= hash >>> 15;
    }
    return hash & (this.#heads.length - 1);
  }

  #evict(): void {
    // BOUNDED: by two rounds; the first clears every mark.
    for (;;) {
      const row = this.#hand;
      this.#hand = row + 1 === this.#handles.capacity ? 0 : row + 1;
      const handle = this.#handles.handleAt(row);
      if (handle === NONE) continue;
      if (this.#used[row] === 1) {
        this.#used[row] = 0;
        continue;
      }
      this.#unlink(row);
      this.#handles.free(handle);
      this.evictions++;
      return;
    }
  }

  #unlink(row: number): void {
    const bucket = this.#bucket(this.#endpoints, row * ENDPOINT_BYTES);
    let at = this.#heads[bucket] as number;
    if (at === row) {
      this.#heads[bucket] = this.#next[row] as number;
      return;
    }
    while (this.#next[at] !== row) at = this.#next[at] as number;
    this.#next[at] = this.#next[row] as number;
  }

  #resize(capacity: number): void {
    const rowsBefore = this.#used.length;
    this.#endpoints = grow(this.#endpoints, capacity * ENDPOINT_BYTES);
    this.#used = grow(this.#used, capacity);
    this.#next = grow(this.#next, capacity);
    this.#heads = new Int32Array(powerOfTwo(capacity)).fill(NONE);
    // INVARIANT: a table grows only when every row is live.
    for (let row = 0; row < rowsBefore; row++) {
      const bucket = this.#bucket(this.#endpoints, row * ENDPOINT_BYTES);
      this.#next[row] = this.#heads[bucket] as number;
      this.#heads[bucket] = row;
    }
  }
}

function powerOfTwo(atLeast: number): number {
  let size = 16;
  while (size < atLeast) size *= 2;
  return size;
}

/** Writes family and address of a dotted IPv4 text without allocating; `false` = not one. Leaves the port. */
function writeIpv4(out: Uint8Array, text: string): boolean {
  let part = 0;
  let value = -1;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 48 && code <= 57) {
      value = (value < 0 ? 0 : value * 10) + code - 48;
      if (value > 255) return false;
    } else if (code === 46 && value >= 0 && part < 3) {
      out[1 + part] = value;
      part++;
      value = -1;
    } else {
      return false;
    }
  }
  if (part !== 3 || value < 0) return false;
  out[0] = 4;
  out[4] = value;
  for (let i = 5; i < 17; i++) out[i] = 0;
  return true;
}
