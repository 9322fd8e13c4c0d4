/**
 * Datagrams on their way to hosts of another thread: one box for each ordered pair of threads, in two sets that take
 * turns, so that a thread may fill one while the other is read. Meetings of the crew order the accesses: nothing here
 * is atomic. What does not fit a box waits in its sender's spill until the next turn.
 *
 * BOUNDED: boxes by `MAIL_BYTES`, spills by what is sent within one window.
 */
import { NONE } from '@molia/core';
import { MAIL_BYTES } from './constants.ts';
import type { Payloads } from './payloads.ts';

/** A letter, in units of 8 bytes: instant, tie, source and destination address, their ports and the length, then bytes. */
const HEADER_UNITS = 5;
/** First unit of a box: bytes used. */
const BOX_UNITS = MAIL_BYTES / 8;

/** Letters in one stretch of memory. */
class Box {
  readonly floats: Float64Array;
  readonly bytes: Uint8Array;

  constructor(memory: ArrayBufferLike, offset: number, length: number) {
    this.floats = new Float64Array(memory, offset, length / 8);
    this.bytes = new Uint8Array(memory, offset, length);
  }

  /** Units used, the first one included. */
  get used(): number {
    return Math.max(1, this.floats[0] as number);
  }

  set used(units: number) {
    this.floats[0] = units;
  }
}

export class Mail {
  /** Of the letter last taken: microseconds, tie. */
  readonly when = new Float64Array(2);
  /** Earliest arrival of what was posted since the last turn, microseconds. */
  readonly earliest = new Float64Array(1).fill(Number.POSITIVE_INFINITY);
  /** Letters posted. */
  posted = 0;
  /** By set and partner. */
  readonly #out: Box[][] = [];
  readonly #in: Box[][] = [];
  /** By partner. */
  readonly #spills: Box[] = [];
  #set = 0;
  #box = 0;
  #unit = 1;

  constructor(memory: SharedArrayBuffer, offset: number, workers: number, worker: number) {
    const box = (set: number, from: number, to: number): Box =>
      new Box(memory, offset + ((set * workers + from) * workers + to) * MAIL_BYTES, MAIL_BYTES);
    for (let set = 0; set < 2; set++) {
      this.#out.push(Array.from({ length: workers }, (_, to) => box(set, worker, to)));
      this.#in.push(Array.from({ length: workers }, (_, from) => box(set, from, worker)));
    }
    for (let to = 0; to < workers; to++) this.#spills.push(new Box(new ArrayBuffer(8), 0, 8));
  }

  /** Whether something waits for room in a box. */
  get spilled(): boolean {
    for (const spill of this.#spills) if (spill.used > 1) return true;
    return false;
  }

  /** Posts a payload, which stays the caller's, to another thread; `when` = microseconds of its arrival, tie. */
  post(to: number, when: Float64Array, payloads: Payloads, id: number): void {
    const length = payloads.length[id] as number;
    const units = HEADER_UNITS + ((length + 7) >>> 3);
    let box = (this.#out[this.#set] as Box[])[to] as Box;
    if (box.used + units > BOX_UNITS) {
      box = this.#spills[to] as Box;
      if (box.used + units > box.floats.length) {
        const larger = new Box(
          new ArrayBuffer(Math.max(MAIL_BYTES, box.bytes.length * 2)),
          0,
          Math.max(MAIL_BYTES, box.bytes.length * 2),
        );
        larger.bytes.set(box.bytes);
        this.#spills[to] = larger;
        box = larger;
      }
    }
    const at = box.used;
    const { floats, bytes } = box;
    floats[at] = when[0] as number;
    floats[at + 1] = when[1] as number;
    floats[at + 2] = payloads.sourceAddress[id] as number;
    floats[at + 3] = payloads.address[id] as number;
    // INVARIANT: 16 + 16 + 11 bits.
    floats[at + 4] =
      ((payloads.sourcePort[id] as number) * 0x10000 + (payloads.port[id] as number)) * 2048 + length;
    const page = payloads.page(id);
    const from = payloads.offset(id);
    const first = (at + HEADER_UNITS) * 8;
    for (let i = 0; i < length; i++) bytes[first + i] = page[from + i] as number;
    box.used = at + units;
    this.posted++;
    if ((when[0] as number) < (this.earliest[0] as number)) this.earliest[0] = when[0] as number;
  }

  /** Moves what waits into boxes that have room. */
  flush(): void {
    for (let to = 0; to < this.#spills.length; to++) {
      const spill = this.#spills[to] as Box;
      const box = (this.#out[this.#set] as Box[])[to] as Box;
      if (spill.used === 1) continue;
      let at = 1;
      while (at < spill.used) {
        const units = HEADER_UNITS + ((((spill.floats[at + 4] as number) % 2048) + 7) >>> 3);
        if (box.used + units > BOX_UNITS) break;
        box.floats.set(spill.floats.subarray(at, at + units), box.used);
        box.used += units;
        at += units;
      }
      spill.floats.copyWithin(1, at, spill.used);
      spill.used -= at - 1;
    }
  }

  /** The next letter to this thread as a payload, with its instant and tie in `when`; `NONE` = no more. After a meeting. */
  take(payloads: Payloads): number {
    const boxes = this.#in[this.#set] as Box[];
    for (;;) {
      const box = boxes[this.#box];
      if (box === undefined) return NONE;
      const at = this.#unit;
      if (at >= box.used) {
        this.#box++;
        this.#unit = 1;
        continue;
      }
      const { floats } = box;
      this.when[0] = floats[at] as number;
      this.when[1] = floats[at + 1] as number;
      const packed = floats[at + 4] as number;
      const length = packed % 2048;
      const ports = Math.floor(packed / 2048);
      const id = payloads.add(box.bytes, (at + HEADER_UNITS) * 8, length);
      payloads.sourceAddress[id] = floats[at + 2] as number;
      payloads.address[id] = floats[at + 3] as number;
      payloads.sourcePort[id] = ports >>> 16;
      payloads.port[id] = ports & 0xffff;
      this.#unit = at + HEADER_UNITS + ((length + 7) >>> 3);
      return id;
    }
  }

  /**
   * Goes over to the other set. Its boxes were read before the meeting that has just been: their reader took them at the
   * meeting before.
   */
  turn(): void {
    this.#set ^= 1;
    this.#box = 0;
    this.#unit = 1;
    for (const box of this.#out[this.#set] as Box[]) box.used = 1;
    this.earliest[0] = Number.POSITIVE_INFINITY;
  }
}
