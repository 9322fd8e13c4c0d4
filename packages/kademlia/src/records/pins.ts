/** Values kept for pullers although no record of them is held: bounded in bytes and number, oldest out first. */
import { blake3Into, copyBytes, type Millis, NO_F64, NO_U8, type Rng } from '@molia/core';
import { KEY_BYTES } from '@molia/wire';
import { KeyTable } from './key-table.ts';
import type { StoredRecord } from './store-port.ts';

export class Pins {
  private readonly bytesMax: number;
  private readonly slots: number;
  private readonly index: KeyTable;
  /** Columns by slot, made when the first value comes: most nodes never pin one. */
  private hashes: Uint8Array = NO_U8;
  private values: (Uint8Array | undefined)[] = [];
  private until: Float64Array = NO_F64;
  private readonly probe = new Uint8Array(KEY_BYTES);
  /** Slots are a ring: the next to be used is the oldest. */
  private nextSlot = 0;
  private bytes = 0;

  constructor(rng: Rng, slots: number, bytesMax: number) {
    this.slots = slots;
    this.bytesMax = bytesMax;
    this.index = new KeyTable(rng, false);
  }

  /** Copies a value in until `until`; a pinned one is kept longer. `false`: larger than all the room. */
  add(value: Uint8Array, offset: number, length: number, until: Millis): boolean {
    if (length > this.bytesMax) return false;
    if (this.values.length === 0) this.makeColumns();
    blake3Into(this.probe, 0, value, offset, length);
    const held = this.index.find(this.probe, 0);
    if (held >= 0) {
      this.until[held] = Math.max(this.until[held] as number, until);
      return true;
    }
    const slot = this.nextSlot;
    this.nextSlot = (slot + 1) % this.slots;
    this.drop(slot);
    // BOUNDED: by the number of slots.
    for (let i = 1; this.bytes + length > this.bytesMax; i++) this.drop((slot + i) % this.slots);
    copyBytes(this.hashes, slot * KEY_BYTES, this.probe, 0, KEY_BYTES);
    this.values[slot] = value.slice(offset, offset + length);
    this.until[slot] = until;
    this.bytes += length;
    this.index.insert(slot);
    return true;
  }

  /** Sets only the value's range of `out`. */
  find(now: Millis, hash: Uint8Array, hashOffset: number, out: StoredRecord): boolean {
    const slot = this.index.find(hash, hashOffset);
    if (slot < 0) return false;
    if ((this.until[slot] as number) <= now) {
      this.drop(slot);
      return false;
    }
    const value = this.values[slot] as Uint8Array;
    out.bytes = value;
    out.valueOffset = 0;
    out.valueLength = value.length;
    return true;
  }

  private makeColumns(): void {
    this.hashes = new Uint8Array(this.slots * KEY_BYTES);
    this.index.attach(this.slots, this.hashes);
    this.values = new Array<Uint8Array | undefined>(this.slots).fill(undefined);
    this.until = new Float64Array(this.slots);
  }

  private drop(slot: number): void {
    const value = this.values[slot];
    if (value === undefined) return;
    this.index.remove(slot);
    this.bytes -= value.length;
    this.values[slot] = undefined;
  }
}
