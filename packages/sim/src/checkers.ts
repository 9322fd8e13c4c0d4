/**
 * Checkers of what must never happen, whatever the network does. Each notes violations as sentences; a run that ends with
 * one has failed. They keep what they have seen, so their memory grows with the run: for tests, not for the largest runs.
 */
import { toHex } from '@molia/core';

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

/**
 * Bytes between addresses that have not proven themselves: until a host has sent a second datagram to another, it may be
 * spoofed, and the answers to it must stay within `factor` times what came.
 */
export class AmplificationWatch {
  readonly #flows = new Map<string, { datagrams: number; bytesOut: number; bytesIn: number }>();
  readonly #report: Report;
  readonly #factor: number;

  constructor(factor: number, report: Report) {
    this.#factor = factor;
    this.#report = report;
  }

  /** A datagram was handed from one host to another. Call it for every one, in order. */
  carried(from: number, to: number, length: number): void {
    const there = this.#flow(from, to);
    const back = this.#flow(to, from);
    there.datagrams++;
    there.bytesOut += length;
    back.bytesIn += length;
    // Who spoke first is not answering; who heard one datagram only cannot know that its sender is real.
    if (there.bytesIn === 0 || back.datagrams !== 1 || !this.#answers(from, to)) return;
    if (there.bytesOut > this.#factor * there.bytesIn)
      this.#report(
        `host ${from} answered ${there.bytesOut} bytes to ${there.bytesIn} of unproven host ${to}`,
      );
  }

  readonly #first = new Map<string, number>();

  #answers(from: number, to: number): boolean {
    return this.#first.get(pairName(from, to)) === to;
  }

  #flow(from: number, to: number): { datagrams: number; bytesOut: number; bytesIn: number } {
    const name = `${from}>${to}`;
    let flow = this.#flows.get(name);
    if (flow === undefined) {
      flow = { datagrams: 0, bytesOut: 0, bytesIn: 0 };
      this.#flows.set(name, flow);
      const pair = pairName(from, to);
      if (!this.#first.has(pair)) this.#first.set(pair, from);
    }
    return flow;
  }
}

function pairName(a: number, b: number): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
