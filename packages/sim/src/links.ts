/**
 * Access links as columns: delay, rate and queue in both directions, loss in spells (Gilbert 1960, Elliott 1963), bursts
 * of extra delay. The two-state chains run in continuous time and are looked at only when a datagram passes: the chance
 * to find one in its bad state after `dt` is exact, so idle links cost nothing.
 */
import { grow } from '@molia/core';
import type { Clock } from './clock.ts';
import { HEADER_BYTES } from './constants.ts';
import type { Generators } from './random.ts';

/** What an access link is like. Delays in milliseconds there and back. */
export interface AccessClass {
  readonly name: string;
  /** Of the hosts. */
  readonly share: number;
  /** Median of the delay. */
  readonly accessMs: number;
  /** Of its logarithm, between hosts. */
  readonly accessSigma: number;
  readonly upMbps: number;
  readonly downMbps: number;
  /** Longest wait in a queue before it drops its tail. */
  readonly queueMs: number;
  /** Share of datagrams lost in one direction, 0 to 0.5. */
  readonly lossMean: number;
  /** Mean length of a spell in which every second datagram is lost. */
  readonly lossSpellMs: number;
  /** Mean time between bursts of delay, 0 = none. */
  readonly burstEveryMs: number;
  readonly burstLengthMs: number;
  /** Median of the delay that a burst adds. */
  readonly burstMs: number;
}

/** Share of datagrams that a bad spell loses. */
const SPELL_LOSS = 0.5;
/** Spread of a burst's delay between hosts and bursts. */
const BURST_SIGMA = 0.8;

export class Links {
  /** Microseconds one way. */
  access: Float64Array = new Float64Array(0);
  readonly #classes: AccessClass[] = [];
  #classOf: Uint8Array = new Uint8Array(0);
  #generator: Int32Array = new Int32Array(0);
  #upFreeAt: Float64Array = new Float64Array(0);
  #downFreeAt: Float64Array = new Float64Array(0);
  #spellAt: Float64Array = new Float64Array(0);
  #spell: Uint8Array = new Uint8Array(0);
  #burstAt: Float64Array = new Float64Array(0);
  /** Microseconds of the burst under way, 0 = none. */
  #burst: Float64Array = new Float64Array(0);
  readonly #generators: Generators;
  readonly #clock: Clock;

  constructor(generators: Generators, clock: Clock) {
    this.#generators = generators;
    this.#clock = clock;
  }

  resize(rows: number): void {
    this.access = grow(this.access, rows);
    this.#classOf = grow(this.#classOf, rows);
    this.#generator = grow(this.#generator, rows);
    this.#upFreeAt = grow(this.#upFreeAt, rows);
    this.#downFreeAt = grow(this.#downFreeAt, rows);
    this.#spellAt = grow(this.#spellAt, rows);
    this.#spell = grow(this.#spell, rows);
    this.#burstAt = grow(this.#burstAt, rows);
    this.#burst = grow(this.#burst, rows);
  }

  /** Gives a host its link; draws only from its own generator. */
  set(host: number, link: AccessClass, generator: number): void {
    const now = this.#clock.now;
    let index = this.#classes.indexOf(link);
    if (index < 0) index = this.#classes.push(link) - 1;
    this.#classOf[host] = index;
    this.#generator[host] = generator;
    const scale =
      link.accessSigma === 0 ? 1 : Math.exp(link.accessSigma * this.#generators.normal(generator));
    this.access[host] = Math.round(link.accessMs * scale * 500);
    this.#spellAt[host] = now;
    this.#burstAt[host] = now;
    this.#upFreeAt[host] = now;
    this.#downFreeAt[host] = now;
  }

  /** Hands a datagram to the uplink: `clock.result` is when it has left it; `false` = its queue is full. */
  up(host: number, length: number): boolean {
    const link = this.#classes[this.#classOf[host] as number] as AccessClass;
    return this.#queue(this.#upFreeAt, host, length, link.upMbps, link.queueMs);
  }

  /** Hands a datagram to the downlink: `clock.result` is when it has passed it; `false` = its queue is full. */
  down(host: number, length: number): boolean {
    const link = this.#classes[this.#classOf[host] as number] as AccessClass;
    return this.#queue(this.#downFreeAt, host, length, link.downMbps, link.queueMs);
  }

  /** Whether the link of a host loses a datagram now. */
  loses(host: number): boolean {
    const now = this.#clock.now;
    const link = this.#classes[this.#classOf[host] as number] as AccessClass;
    if (link.lossMean === 0) return false;
    const generator = this.#generator[host] as number;
    const bad = Math.min(1, link.lossMean / SPELL_LOSS);
    const spellUs = link.lossSpellMs * 1000;
    // With mean spells of d and a stationary share b, the rates add up to 1 / (d (1 - b)).
    const memory = Math.exp(-(now - (this.#spellAt[host] as number)) / (spellUs * (1 - bad)));
    const chance = bad + ((this.#spell[host] as number) - bad) * memory;
    this.#spellAt[host] = now;
    const { drawn } = this.#generators;
    this.#generators.draw(generator);
    const isBad = (drawn[0] as number) < chance;
    this.#spell[host] = isBad ? 1 : 0;
    if (!isBad) return false;
    this.#generators.draw(generator);
    return (drawn[0] as number) < SPELL_LOSS;
  }

  /** Adds to `clock.result` the microseconds, one way, of the burst under way at a host. */
  addBurst(host: number): void {
    const now = this.#clock.now;
    const link = this.#classes[this.#classOf[host] as number] as AccessClass;
    if (link.burstEveryMs === 0) return;
    const generator = this.#generator[host] as number;
    const up = 1 / (link.burstEveryMs * 1000);
    const down = 1 / (link.burstLengthMs * 1000);
    const stationary = up / (up + down);
    const memory = Math.exp(-(now - (this.#burstAt[host] as number)) * (up + down));
    const before = (this.#burst[host] as number) > 0 ? 1 : 0;
    const chance = stationary + (before - stationary) * memory;
    this.#burstAt[host] = now;
    this.#generators.draw(generator);
    if ((this.#generators.drawn[0] as number) >= chance) this.#burst[host] = 0;
    else if (before === 0)
      this.#burst[host] = 500 * this.#generators.logNormal(generator, link.burstMs, BURST_SIGMA);
    this.#clock.result += this.#burst[host] as number;
  }

  #queue(freeAt: Float64Array, host: number, length: number, mbps: number, queueMs: number): boolean {
    const { now } = this.#clock;
    const free = Math.max(now, freeAt[host] as number);
    if (free - now > queueMs * 1000) return false;
    freeAt[host] = free + ((length + HEADER_BYTES) * 8) / mbps;
    this.#clock.result = Math.ceil(freeAt[host] as number);
    return true;
  }
}
