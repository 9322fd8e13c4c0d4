/**
 * NAT boxes by RFC 4787's behaviours: mapping and filtering that depend on the endpoint, the address, or address and
 * port; ports kept or drawn; hairpinning; timeouts that only traffic from inside renews. Boxes chain: a home box
 * behind a carrier's. All boxes share one flow table of typed-array columns.
 */
import { grow, NONE } from '@molia/core';
import type { Generators } from './random.ts';

export interface NatClass {
  readonly name: string;
  readonly share: number;
  /** What of the remote end a mapping is for: `endpoint` = one for all remote ends (RFC 4787 4.1). */
  readonly mapping: 'endpoint' | 'address' | 'address-and-port';
  /** Who may send in: `endpoint` = anybody (RFC 4787 5). */
  readonly filtering: 'endpoint' | 'address' | 'address-and-port';
  readonly ports: 'preserve' | 'random';
  readonly hairpin: boolean;
  /** A mapping or permission not used from inside for so long is gone. */
  readonly timeoutMs: number;
  /** Lets no UDP out. */
  readonly blocked: boolean;
}

const PORT_FIRST = 1024;
const PORT_COUNT = 65_536 - PORT_FIRST;
const PORT_ATTEMPTS_MAX = 64;

/** Rows found by five integers; BOUNDED: by what is not expired, swept before it grows. */
class Flows {
  /** Columns by row. */
  values: Float64Array = new Float64Array(0);
  usedAt: Float64Array = new Float64Array(0);
  #keys: Float64Array = new Float64Array(0);
  #next: Int32Array = new Int32Array(0);
  #heads: Int32Array = new Int32Array(64).fill(NONE);
  #free = NONE;
  /** Rows in use. */
  count = 0;

  find(box: number, a: number, b: number, c: number, d: number): number {
    let row = this.#heads[this.#bucket(box, a, b, c, d)] as number;
    while (row !== NONE && !this.#matches(row, box, a, b, c, d)) row = this.#next[row] as number;
    return row;
  }

  add(box: number, a: number, b: number, c: number, d: number, value: number, now: number): number {
    if (this.#free === NONE) this.#resize(Math.max(64, this.values.length * 2));
    const row = this.#free;
    this.#free = this.#next[row] as number;
    const k = row * 5;
    this.#keys[k] = box;
    this.#keys[k + 1] = a;
    this.#keys[k + 2] = b;
    this.#keys[k + 3] = c;
    this.#keys[k + 4] = d;
    this.values[row] = value;
    this.usedAt[row] = now;
    const bucket = this.#bucket(box, a, b, c, d);
    this.#next[row] = this.#heads[bucket] as number;
    this.#heads[bucket] = row;
    this.count++;
    return row;
  }

  remove(row: number): void {
    const k = row * 5;
    const keys = this.#keys;
    const bucket = this.#bucket(
      keys[k] as number,
      keys[k + 1] as number,
      keys[k + 2] as number,
      keys[k + 3] as number,
      keys[k + 4] as number,
    );
    if (this.#heads[bucket] === row) {
      this.#heads[bucket] = this.#next[row] as number;
    } else {
      let at = this.#heads[bucket] as number;
      while (this.#next[at] !== row) at = this.#next[at] as number;
      this.#next[at] = this.#next[row] as number;
    }
    this.#keys[k] = NONE;
    this.#next[row] = this.#free;
    this.#free = row;
    this.count--;
  }

  /** Box of a row, `NONE` when the row is free. */
  box(row: number): number {
    return this.#keys[row * 5] as number;
  }

  key(row: number, index: number): number {
    return this.#keys[row * 5 + 1 + index] as number;
  }

  get full(): boolean {
    return this.#free === NONE;
  }

  get rows(): number {
    return this.values.length;
  }

  #matches(row: number, box: number, a: number, b: number, c: number, d: number): boolean {
    const k = row * 5;
    const keys = this.#keys;
    return (
      keys[k] === box && keys[k + 1] === a && keys[k + 2] === b && keys[k + 3] === c && keys[k + 4] === d
    );
  }

  #bucket(box: number, a: number, b: number, c: number, d: number): number {
    let hash = Math.imul(box ^ 0x9e3779b1, 0x85ebca6b) ^ a;
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35) ^ b;
    hash = Math.imul(hash ^ (hash >>> 13), 0x85ebca6b) ^ c;
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35) ^ d;
    return (hash ^ (hash >>> 16)) & (this.#heads.length - 1);
  }

  #resize(rows: number): void {
    const before = this.values.length;
    this.values = grow(this.values, rows);
    this.usedAt = grow(this.usedAt, rows);
    this.#keys = grow(this.#keys, rows * 5);
    this.#next = grow(this.#next, rows);
    this.#heads = new Int32Array(rows).fill(NONE);
    for (let row = 0; row < before; row++) {
      const bucket = this.#bucket(
        this.box(row),
        this.key(row, 0),
        this.key(row, 1),
        this.key(row, 2),
        this.key(row, 3),
      );
      this.#next[row] = this.#heads[bucket] as number;
      this.#heads[bucket] = row;
    }
    for (let row = rows - 1; row >= before; row--) {
      this.#keys[row * 5] = NONE;
      this.#next[row] = this.#free;
      this.#free = row;
    }
  }
}

/** Every NAT box of a simulation, by index. Addresses are 32-bit numbers. */
export class NatBoxes {
  /** Outgoing datagrams refused, incoming ones filtered. */
  refused = 0;
  filtered = 0;
  readonly #classes: NatClass[] = [];
  readonly #generatorOf: number[] = [];
  /** The box before this one on the way out, or `NONE`. */
  readonly #parents: number[] = [];
  /** (box, inside address, inside port, remote address or 0, remote port or 0) → outside port. */
  readonly #mappings = new Flows();
  /** (box, outside port) → row of the mapping. */
  readonly #outside = new Flows();
  /** (box, outside port, remote address, remote port or 0). */
  readonly #permissions = new Flows();
  readonly #generators: Generators;

  constructor(generators: Generators) {
    this.#generators = generators;
  }

  get count(): number {
    return this.#classes.length;
  }

  /** Live and lapsed mappings that still have a row. */
  get mappings(): number {
    return this.#mappings.count;
  }

  /** One more box; its index. */
  add(natClass: NatClass, parent: number = NONE): number {
    this.#generatorOf.push(this.#generators.add());
    this.#parents.push(parent);
    return this.#classes.push(natClass) - 1;
  }

  parent(box: number): number {
    return this.#parents[box] as number;
  }

  hairpins(box: number): boolean {
    return (this.#classes[box] as NatClass).hairpin;
  }

  /** A datagram leaves: the outside port it gets, or `NONE` when it may not. `now` in milliseconds. */
  outbound(
    now: number,
    box: number,
    address: number,
    port: number,
    remote: number,
    remotePort: number,
  ): number {
    const nat = this.#classes[box] as NatClass;
    if (nat.blocked) {
      this.refused++;
      return NONE;
    }
    const forAddress = nat.mapping === 'endpoint' ? 0 : remote;
    const forPort = nat.mapping === 'address-and-port' ? remotePort : 0;
    let row = this.#mappings.find(box, address, port, forAddress, forPort);
    if (row !== NONE && this.#lapsed(now, box, row)) {
      this.#forget(row);
      row = NONE;
    }
    if (row === NONE) {
      const outsidePort = this.#choosePort(now, box, nat, port);
      if (outsidePort === NONE) {
        this.refused++;
        return NONE;
      }
      if (this.#mappings.full) this.#sweep(now);
      row = this.#mappings.add(box, address, port, forAddress, forPort, outsidePort, now);
      this.#outside.add(box, outsidePort, 0, 0, 0, row, now);
    }
    this.#mappings.usedAt[row] = now;
    const outsidePort = this.#mappings.values[row] as number;
    if (nat.filtering !== 'endpoint') {
      const permitted = nat.filtering === 'address' ? 0 : remotePort;
      const permission = this.#permissions.find(box, outsidePort, remote, permitted, 0);
      if (permission !== NONE) {
        this.#permissions.usedAt[permission] = now;
      } else {
        if (this.#permissions.full) this.#sweep(now);
        this.#permissions.add(box, outsidePort, remote, permitted, 0, 0, now);
      }
    }
    return outsidePort;
  }

  /** A datagram comes to an outside port: the mapping it may pass by (see `address`, `port`), or `NONE`. */
  inbound(now: number, box: number, outsidePort: number, remote: number, remotePort: number): number {
    const nat = this.#classes[box] as NatClass;
    const outside = this.#outside.find(box, outsidePort, 0, 0, 0);
    const row = outside === NONE ? NONE : (this.#outside.values[outside] as number);
    if (row !== NONE && !this.#lapsed(now, box, row)) {
      if (nat.filtering === 'endpoint') return row;
      const permitted = nat.filtering === 'address' ? 0 : remotePort;
      const permission = this.#permissions.find(box, outsidePort, remote, permitted, 0);
      if (permission !== NONE && now - (this.#permissions.usedAt[permission] as number) < nat.timeoutMs)
        return row;
    }
    this.filtered++;
    return NONE;
  }

  /** Inside address of a mapping. */
  address(row: number): number {
    return this.#mappings.key(row, 0);
  }

  /** Inside port of a mapping. */
  port(row: number): number {
    return this.#mappings.key(row, 1);
  }

  #lapsed(now: number, box: number, row: number): boolean {
    return now - (this.#mappings.usedAt[row] as number) >= (this.#classes[box] as NatClass).timeoutMs;
  }

  #choosePort(now: number, box: number, nat: NatClass, port: number): number {
    if (nat.ports === 'preserve' && this.#portFree(now, box, port)) return port;
    for (let i = 0; i < PORT_ATTEMPTS_MAX; i++) {
      const drawn = PORT_FIRST + (this.#generators.u32(this.#generatorOf[box] as number) % PORT_COUNT);
      if (this.#portFree(now, box, drawn)) return drawn;
    }
    return NONE;
  }

  #portFree(now: number, box: number, port: number): boolean {
    const outside = this.#outside.find(box, port, 0, 0, 0);
    if (outside === NONE) return true;
    const row = this.#outside.values[outside] as number;
    if (!this.#lapsed(now, box, row)) return false;
    this.#forget(row);
    return true;
  }

  #forget(row: number): void {
    const box = this.#mappings.box(row);
    this.#outside.remove(this.#outside.find(box, this.#mappings.values[row] as number, 0, 0, 0));
    this.#mappings.remove(row);
  }

  #sweep(now: number): void {
    for (let row = 0; row < this.#mappings.rows; row++) {
      const box = this.#mappings.box(row);
      if (box !== NONE && this.#lapsed(now, box, row)) this.#forget(row);
    }
    for (let row = 0; row < this.#permissions.rows; row++) {
      const box = this.#permissions.box(row);
      if (box === NONE) continue;
      const age = now - (this.#permissions.usedAt[row] as number);
      if (age >= (this.#classes[box] as NatClass).timeoutMs) this.#permissions.remove(row);
    }
  }
}
