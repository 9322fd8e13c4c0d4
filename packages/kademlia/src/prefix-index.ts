/**
 * The ids of a routing table in order, and the K of them closest to a target: one sorted column of first words,
 * walked as the implicit binary trie it is. Ranges come out in XOR order, so only a handful of neighbours are ever
 * compared in full. Reading allocates nothing.
 */
import { grow, NONE } from '@molia/core';
import { type Contacts, wordAt } from './contacts.ts';
import { neighboursAmong } from './diversity.ts';

/** Ranges up to this length are sorted by insertion. */
const LEAF = 6;
/** One pending sibling per level and the current range. */
const DEPTH = 34;

export class PrefixIndex {
  private readonly contacts: Contacts;
  private words = new Int32Array(64);
  private rows = new Int32Array(64);
  private used = 0;
  private readonly low = new Int32Array(DEPTH);
  private readonly high = new Int32Array(DEPTH);
  private readonly bit = new Int8Array(DEPTH);

  constructor(contacts: Contacts) {
    this.contacts = contacts;
  }

  get length(): number {
    return this.used;
  }

  /** The row at a position of the id order. */
  at(position: number): number {
    return this.rows[position] as number;
  }

  /** Adds a contact that is not in it. */
  insert(row: number): void {
    if (this.used === this.words.length) {
      this.words = grow(this.words, this.used * 2);
      this.rows = grow(this.rows, this.used * 2);
    }
    const word = this.contacts.words[row] as number;
    const at = this.lowerBound(word);
    this.words.copyWithin(at + 1, at, this.used);
    this.rows.copyWithin(at + 1, at, this.used);
    this.words[at] = word;
    this.rows[at] = row;
    this.used++;
  }

  /** Removes a contact; `false` = it was not in it. */
  remove(row: number): boolean {
    const word = this.contacts.words[row] as number;
    let at = this.lowerBound(word);
    while (at < this.used && this.words[at] === word && this.rows[at] !== row) at++;
    if (at >= this.used || this.rows[at] !== row) return false;
    this.words.copyWithin(at, at + 1, this.used);
    this.rows.copyWithin(at, at + 1, this.used);
    this.used--;
    return true;
  }

  /** How many are of the network that the first `bytes` of the contacts' endpoint at `offset` name. */
  neighbours(offset: number, bytes: number): number {
    return neighboursAmong(this.contacts.endpoints, offset, bytes, this.rows, this.used);
  }

  /**
   * Writes the rows of the `count` contacts closest to a target into `out`, closest first, and returns how many.
   * `except` is left out (NONE = nobody); `liveOnly` leaves out contacts whose last request went unanswered.
   */
  closest(
    target: Uint8Array,
    targetOffset: number,
    count: number,
    out: Int32Array,
    except: number = NONE,
    liveOnly = false,
  ): number {
    const { words, rows, low, high, bit } = this;
    const { failures } = this.contacts;
    const word = wordAt(target, targetOffset);
    let found = 0;
    let depth = 0;
    low[0] = 0;
    high[0] = this.used;
    bit[0] = 31;
    while (depth >= 0 && found < count) {
      let from = low[depth] as number;
      let to = high[depth] as number;
      let b = bit[depth] as number;
      depth--;
      // Descend to the nearest small range; the sibling of each step waits.
      while (to - from > LEAF && b >= 0) {
        let left = from;
        let right = to;
        while (left < right) {
          const middle = (left + right) >>> 1;
          if ((((words[middle] as number) >>> b) & 1) === 0) left = middle + 1;
          else right = middle;
        }
        const ones = ((word >>> b) & 1) === 1;
        b--;
        if (left === from || left === to) continue;
        depth++;
        bit[depth] = b;
        if (ones) {
          low[depth] = from;
          high[depth] = left;
          from = left;
        } else {
          low[depth] = left;
          high[depth] = to;
          to = left;
        }
      }
      const first = found;
      for (let i = from; i < to; i++) {
        const row = rows[i] as number;
        if (row === except || (liveOnly && (failures[row] as number) > 0)) continue;
        found = this.place(out, first, found, count, row, words[i] as number, word, target, targetOffset);
      }
    }
    return found;
  }

  /** Insertion of one row into out[first, found), at most `count` long in all. */
  private place(
    out: Int32Array,
    first: number,
    found: number,
    count: number,
    row: number,
    rowWord: number,
    word: number,
    target: Uint8Array,
    targetOffset: number,
  ): number {
    const { contacts } = this;
    const distance = (rowWord ^ word ^ 0x80000000) | 0;
    let at = found;
    while (at > first) {
      const other = out[at - 1] as number;
      const otherDistance = ((contacts.words[other] as number) ^ word ^ 0x80000000) | 0;
      if (otherDistance < distance) break;
      if (otherDistance === distance && contacts.compareDistance(target, targetOffset, other, row) < 0) {
        break;
      }
      if (at < count) out[at] = other;
      at--;
    }
    if (at < count) out[at] = row;
    return found < count ? found + 1 : found;
  }

  /** First position whose word is not below, in unsigned order. */
  private lowerBound(word: number): number {
    const sought = word ^ 0x80000000;
    let left = 0;
    let right = this.used;
    while (left < right) {
      const middle = (left + right) >>> 1;
      if (((this.words[middle] as number) ^ 0x80000000) < sought) left = middle + 1;
      else right = middle;
    }
    return left;
  }
}
