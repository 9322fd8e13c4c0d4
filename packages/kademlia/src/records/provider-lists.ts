/** The providers of each key as doubly linked lists of the store's slots, oldest first. */
import { copyBytes, grow, NO_I32, NO_U8, type Rng } from '@molia/core';
import { KeyTable } from './key-table.ts';

const KEY = 32;

export class ProviderLists {
  private readonly index: KeyTable;
  /** By list. */
  private keys: Uint8Array = NO_U8;
  private heads: Int32Array = NO_I32;
  private tails: Int32Array = NO_I32;
  private counts: Int32Array = NO_I32;
  /** Chain of free lists through `heads`, -1 = none. */
  private freeHead = -1;
  private capacity = 0;
  /** By slot. */
  private next: Int32Array = NO_I32;
  private previous: Int32Array = NO_I32;
  private listOf: Int32Array = NO_I32;

  constructor(rng: Rng) {
    this.index = new KeyTable(rng, false);
  }

  /** Makes room for slots below `slots`. */
  grow(slots: number): void {
    this.next = grow(this.next, slots);
    this.previous = grow(this.previous, slots);
    this.listOf = grow(this.listOf, slots);
  }

  countOf(key: Uint8Array, keyOffset: number): number {
    const list = this.index.find(key, keyOffset);
    return list < 0 ? 0 : (this.counts[list] as number);
  }

  /** The `skip`-th slot of a key's list, -1 = none. */
  first(key: Uint8Array, keyOffset: number, skip: number): number {
    const list = this.index.find(key, keyOffset);
    if (list < 0 || skip >= (this.counts[list] as number)) return -1;
    let slot = this.heads[list] as number;
    // BOUNDED: by the count of the list.
    for (let i = 0; i < skip; i++) slot = this.next[slot] as number;
    return slot;
  }

  /** The slot behind `slot`, -1 = none. */
  after(slot: number): number {
    return slot < 0 ? -1 : (this.next[slot] as number);
  }

  /** Adds a slot, whose key lies in `keys`, at the end of its key's list. */
  append(keys: Uint8Array, slot: number): void {
    let list = this.index.find(keys, slot * KEY);
    if (list < 0) list = this.open(keys, slot * KEY);
    const tail = this.tails[list] as number;
    this.listOf[slot] = list;
    this.previous[slot] = tail;
    this.next[slot] = -1;
    if (tail >= 0) this.next[tail] = slot;
    else this.heads[list] = slot;
    this.tails[list] = slot;
    this.counts[list] = (this.counts[list] as number) + 1;
  }

  remove(slot: number): void {
    const list = this.listOf[slot] as number;
    const next = this.next[slot] as number;
    const previous = this.previous[slot] as number;
    if (previous >= 0) this.next[previous] = next;
    else this.heads[list] = next;
    if (next >= 0) this.previous[next] = previous;
    else this.tails[list] = previous;
    const count = (this.counts[list] as number) - 1;
    this.counts[list] = count;
    if (count > 0) return;
    this.index.remove(list);
    this.heads[list] = this.freeHead;
    this.freeHead = list;
  }

  private open(key: Uint8Array, keyOffset: number): number {
    if (this.freeHead < 0) this.extend();
    const list = this.freeHead;
    this.freeHead = this.heads[list] as number;
    copyBytes(this.keys, list * KEY, key, keyOffset, KEY);
    this.heads[list] = -1;
    this.tails[list] = -1;
    this.counts[list] = 0;
    this.index.insert(list);
    return list;
  }

  private extend(): void {
    const first = this.capacity;
    const capacity = first === 0 ? 64 : first * 2;
    this.keys = grow(this.keys, capacity * KEY);
    this.heads = grow(this.heads, capacity);
    this.tails = grow(this.tails, capacity);
    this.counts = grow(this.counts, capacity);
    this.index.attach(capacity, this.keys);
    for (let list = capacity - 1; list >= first; list--) {
      this.heads[list] = this.freeHead;
      this.freeHead = list;
    }
    this.capacity = capacity;
  }
}
