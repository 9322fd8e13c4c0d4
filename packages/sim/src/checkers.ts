/**
 * Checkers of what must never happen, whatever the network does. Each notes violations as sentences; a run that ends with
 * one has failed. They keep what they have seen, so their memory grows with the run: for tests, not for the largest runs.
 */
import { toHex } from '@molia/core';
import type { Tap } from './simulator-options.ts';

/** Where violations go. */
export type Report = (violation: string) => void;

/** What a nonce checker needs of a cipher: the session storey's port has more. */
interface Sealing {
  seal(
    key: Uint8Array,
    keyOffset: number,
    counterLow: number,
    counterHigh: number,
    aad: Uint8Array,
    aadOffset: number,
    aadLength: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void;
}

/** The same cipher, which reports when one key seals twice under one counter. */
export function watchNonces<Cipher extends Sealing>(cipher: Cipher, report: Report): Cipher {
  const seen = new Set<string>();
  const watched: Cipher = Object.create(cipher);
  const seal: Sealing['seal'] = (
    key,
    keyOffset,
    low,
    high,
    aad,
    aadOffset,
    aadLength,
    bytes,
    offset,
    length,
  ) => {
    const name = `${toHex(key.slice(keyOffset, keyOffset + 32))} ${high} ${low}`;
    if (seen.has(name)) report(`a key sealed twice under counter ${high * 2 ** 32 + low}`);
    seen.add(name);
    cipher.seal(key, keyOffset, low, high, aad, aadOffset, aadLength, bytes, offset, length);
  };
  watched.seal = seal;
  return watched;
}

/** Versions of records as readers and holders saw them. */
export class SequenceWatch {
  readonly #highest = new Map<string, { sequence: number; value: string }>();
  readonly #report: Report;

  constructor(report: Report) {
    this.#report = report;
  }

  /**
   * `who` has a version of a key. Reports a lower sequence than it had before, and, unless `flagged`, another value under
   * the same one.
   */
  saw(who: string, key: Uint8Array, sequence: number, value: Uint8Array, flagged = false): void {
    const name = `${who} ${toHex(key)}`;
    const text = toHex(value);
    const before = this.#highest.get(name);
    if (before !== undefined && sequence < before.sequence)
      this.#report(`${who} went back from sequence ${before.sequence} to ${sequence}`);
    if (before !== undefined && sequence === before.sequence && text !== before.value && !flagged)
      this.#report(`${who} saw two values under sequence ${sequence}, and nobody said so`);
    if (before === undefined || sequence >= before.sequence)
      this.#highest.set(name, { sequence, value: text });
  }
}

/** Answers come at once: what a host sends so long after a datagram, milliseconds, it sends for reasons of its own. */
const ANSWER_MS = 5_000;

/**
 * Bytes to addresses that have not proven themselves: until a host has had a second datagram from another, the first may be
 * spoofed, and what it sends there in the 5 s from then on must stay within `factor` times what came. A tap of the simulator.
 */
export class AmplificationWatch implements Tap {
  /** By host and the other one, what it has heard from it and sent it since. */
  readonly #flows = new Map<string, { heard: number; atMs: number; bytesIn: number; bytesOut: number }>();
  /** Of each pair, who was heard first: what it hears later may be an answer. */
  readonly #first = new Map<string, number>();
  readonly #report: Report;
  readonly #factor: number;
  readonly #now: () => number;

  /** `now`: milliseconds of the simulation. */
  constructor(factor: number, now: () => number, report: Report) {
    this.#factor = factor;
    this.#now = now;
    this.#report = report;
  }

  sent(from: number, to: number, length: number): void {
    const flow = this.#flows.get(`${from} ${to}`);
    if (flow === undefined || flow.heard !== 1 || this.#first.get(pairName(from, to)) !== to) return;
    if (this.#now() - flow.atMs >= ANSWER_MS) return;
    flow.bytesOut += length;
    if (flow.bytesOut > this.#factor * flow.bytesIn)
      this.#report(`host ${from} answered ${flow.bytesOut} bytes to ${flow.bytesIn} of unproven host ${to}`);
  }

  carried(from: number, to: number, length: number): void {
    const pair = pairName(from, to);
    if (!this.#first.has(pair)) this.#first.set(pair, from);
    const name = `${to} ${from}`;
    const flow = this.#flows.get(name);
    if (flow === undefined) {
      this.#flows.set(name, { heard: 1, atMs: this.#now(), bytesIn: length, bytesOut: 0 });
    } else {
      flow.heard++;
      flow.bytesIn += length;
    }
  }
}

function pairName(a: number, b: number): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
