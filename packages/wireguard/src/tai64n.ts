/**
 * TAI64N stamps of initiations: 12 big-endian bytes that only grow. Whitened to 2^24 ns (16.7 ms) as the reference
 * implementations do, so that they leak little of the clock; inside, a stamp is a count of such ticks, 60 a second.
 */
import type { Millis } from '@molia/core';
import { TAI64N_BYTES } from './constants.ts';

const TICKS_PER_SECOND = 60;
const TICK_BITS = 24;
const NS_PER_MS = 1_000_000;
/** High word of 2^62 and the 10 s by which TAI was ahead in 1970. */
const EPOCH_HIGH = 0x4000_0000;
const EPOCH_SECONDS = 10;

/** Ticks of a Unix instant in milliseconds. */
export function ticksOf(wallMs: number): number {
  const seconds = Math.floor(wallMs / 1000);
  const ns = (wallMs - seconds * 1000) * NS_PER_MS;
  return seconds * TICKS_PER_SECOND + Math.floor(ns / 2 ** TICK_BITS);
}

/** Ticks that lie at or just below a stamp. */
export function ticksOfStamp(bytes: Uint8Array, offset: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, TAI64N_BYTES);
  const seconds = (view.getUint32(0) - EPOCH_HIGH) * 2 ** 32 + view.getUint32(4) - EPOCH_SECONDS;
  return seconds * TICKS_PER_SECOND + (view.getUint32(8) >>> TICK_BITS);
}

/** Writes the 12-byte stamp of a tick. */
export function writeStamp(out: Uint8Array, offset: number, ticks: number): void {
  const seconds = Math.floor(ticks / TICKS_PER_SECOND);
  const ns = (ticks - seconds * TICKS_PER_SECOND) * 2 ** TICK_BITS;
  const tai = seconds + EPOCH_SECONDS;
  const low = tai % 2 ** 32;
  writeU32(out, offset, EPOCH_HIGH + (tai - low) / 2 ** 32);
  writeU32(out, offset + 4, low);
  writeU32(out, offset + 8, ns);
}

/** Whether stamp `a` is later than stamp `b`: strictly, as opaque big-endian bytes. */
export function stampAfter(a: Uint8Array, aOffset: number, b: Uint8Array, bOffset: number): boolean {
  for (let i = 0; i < TAI64N_BYTES; i++) {
    const difference = (a[aOffset + i] as number) - (b[bOffset + i] as number);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

/** The clock that stamps initiations: never at or below the floor of an earlier run, whatever the wall clock says. */
export class StampClock {
  readonly #wallMsAtZero: number;
  readonly #extraTicks: number;
  #last: number;

  /** `floor`: the last stamp of an earlier run (12 bytes), or nothing. */
  constructor(wallMsAtZero: number, floor: Uint8Array | undefined) {
    this.#wallMsAtZero = wallMsAtZero;
    const start = ticksOf(wallMsAtZero);
    const least = floor === undefined ? 0 : ticksOfStamp(floor, 0) + 1;
    this.#extraTicks = Math.max(0, least - start);
    this.#last = floor === undefined ? 0 : least - 1;
  }

  /** The tick for a peer whose last one was `previous`: later than that, and by the clock otherwise. */
  next(now: Millis, previous: number): number {
    const clock = ticksOf(this.#wallMsAtZero + now) + this.#extraTicks;
    const ticks = clock > previous ? clock : previous + 1;
    if (ticks > this.#last) this.#last = ticks;
    return ticks;
  }

  /** The latest tick given; 0 before the first without a floor. */
  get last(): number {
    return this.#last;
  }
}

function writeU32(out: Uint8Array, offset: number, value: number): void {
  out[offset] = value >>> 24;
  out[offset + 1] = value >>> 16;
  out[offset + 2] = value >>> 8;
  out[offset + 3] = value;
}
