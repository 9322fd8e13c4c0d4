/** The event log as two lanes of hash for each host over what that host saw: when, what, from where, how long. */
import { blake3, grow, toHex } from '@molia/core';
import type { Clock } from './clock.ts';
import type { Crew } from './crew.ts';
import type { Territory } from './territory.ts';

export class History {
  #laneA: Int32Array = new Int32Array(0);
  #laneB: Int32Array = new Int32Array(0);
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  resize(rows: number): void {
    this.#laneA = grow(this.#laneA, rows);
    this.#laneB = grow(this.#laneB, rows);
  }

  /** A host saw something now. */
  note(host: number, kind: number, from: number, length: number): void {
    const low = (this.#clock.now % 0x1_0000_0000) | 0;
    const high = Math.floor(this.#clock.now / 0x1_0000_0000);
    let a = Math.imul((this.#laneA[host] as number) ^ low, 0x85ebca6b);
    a = Math.imul(a ^ (a >>> 13) ^ (kind + (length << 4)), 0xc2b2ae35);
    this.#laneA[host] = a ^ (a >>> 16) ^ from;
    let b = Math.imul((this.#laneB[host] as number) ^ from, 0x9e3779b1);
    b = Math.imul(b ^ (b >>> 15) ^ low, 0x27d4eb2f);
    this.#laneB[host] = b ^ (b >>> 13) ^ (high + (length << 8) + kind);
  }

  /** Hash over the lanes of the first `hosts` hosts, each as its owner has them. */
  digest(hosts: number, crew: Crew | undefined, territory: Territory): string {
    const lanes = new Int32Array(2 * hosts + 1);
    for (let host = 0; host < hosts; host++) {
      lanes[2 * host] = this.#laneA[host] as number;
      lanes[2 * host + 1] = this.#laneB[host] as number;
    }
    lanes[2 * hosts] = hosts;
    const bytes = new Uint8Array(lanes.buffer);
    if (crew !== undefined) {
      const theirs = crew.gatherBytes(bytes);
      for (let host = 0; host < hosts; host++) {
        const from = theirs[territory.workerOf(host)] as Uint8Array;
        bytes.set(from.subarray(8 * host, 8 * host + 8), 8 * host);
      }
    }
    return toHex(blake3(bytes));
  }

  digestOf(host: number): string {
    return [this.#laneA, this.#laneB].map((lane) => ((lane[host] as number) >>> 0).toString(16)).join('-');
  }
}
