/** Keeps packets alive: the schedule's clock, timer and rounds. Needs no secret: anybody may write a signed packet again. */
import { createSecureRng, IDLE } from '@molia/core';
import type { PkarrClient } from './client.ts';
import { failure } from './errors.ts';
import { PublicKey } from './keys.ts';
import { type KeyState, RepublishSchedule, type ScheduleOptions } from './republish-schedule.ts';
import type { SignedPacket } from './signed-packet.ts';

/** One round of one key. */
export type RepublishEvent =
  | {
      readonly kind: 'written';
      readonly packet: SignedPacket;
      readonly copies: number;
      readonly state: KeyState;
    }
  | { readonly kind: 'failed'; readonly publicKey: PublicKey; readonly error: unknown };

export interface RepublisherOptions extends ScheduleOptions {
  /** Stays the caller's. */
  readonly client: PkarrClient;
  /** Hears of every round. What it throws is not caught. */
  readonly onRound?: ((event: RepublishEvent) => void) | undefined;
}

/** Makes a republisher; it works from the first `add` on. Throws TypeError or RangeError for options. */
export function createRepublisher(options: RepublisherOptions): Republisher {
  return new Republisher(options);
}

/** Made by `createRepublisher`. */
export class Republisher {
  readonly #client: PkarrClient;
  readonly #onRound: (event: RepublishEvent) => void;
  readonly #schedule: RepublishSchedule;
  /** The newest packet of each key that was seen; `undefined` until one was. */
  readonly #packets = new Map<string, SignedPacket | undefined>();
  readonly #closing = new AbortController();
  readonly #rounds = new Set<Promise<void>>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor({ client, onRound, ...options }: RepublisherOptions) {
    this.#client = client;
    this.#onRound = onRound ?? (() => {});
    this.#schedule = new RepublishSchedule(createSecureRng(), options);
  }

  /**
   * Takes up a packet, or a key whose packet the network has. Each round reads what is newest and writes that, so that a newer
   * packet of the owner is kept alive instead. Returns `false` when there are `keysMax` already. Throws CLOSED or INVALID_KEY.
   */
  add(of: SignedPacket | PublicKey | string): boolean {
    if (this.#closing.signal.aborted) throw failure('CLOSED', 'the republisher is closed', 'make a new one');
    const packet = typeof of === 'object' && 'publicKey' in of ? of : undefined;
    const key = packet?.publicKey ?? (typeof of === 'string' ? PublicKey.parse(of) : (of as PublicKey));
    const name = `${key}`;
    if (!this.#schedule.add(monotonicNow(), name)) return false;
    const known = this.#packets.get(name);
    if (known === undefined || packet?.isMoreRecentThan(known)) this.#packets.set(name, packet);
    this.#wake();
    return true;
  }

  /** Lets go of a key; `false` when it was none of ours. */
  remove(of: PublicKey | string): boolean {
    const name = `${typeof of === 'string' ? PublicKey.parse(of) : of}`;
    this.#packets.delete(name);
    return this.#schedule.remove(name);
  }

  get size(): number {
    return this.#schedule.size;
  }

  /** What is known of a key. */
  state(of: PublicKey | string): KeyState | undefined {
    return this.#schedule.state(`${typeof of === 'string' ? PublicKey.parse(of) : of}`);
  }

  /** Ends what runs, and resolves when nothing is left of it. Harmless when closed. */
  async close(): Promise<void> {
    this.#closing.abort(failure('CLOSED', 'the republisher was closed'));
    clearTimeout(this.#timer);
    await Promise.all(this.#rounds);
  }

  #wake(): void {
    if (this.#closing.signal.aborted) return;
    clearTimeout(this.#timer);
    // BOUNDED: by concurrencyMax.
    for (let key = this.#due(); key !== undefined; key = this.#due()) {
      const round = this.#round(key);
      this.#rounds.add(round);
      void round.finally(() => {
        this.#rounds.delete(round);
        this.#wake();
      });
    }
    const delay = this.#schedule.nextDelay(monotonicNow());
    if (delay < IDLE) this.#timer = setTimeout(() => this.#wake(), delay);
  }

  #due(): string | undefined {
    return this.#schedule.pollDue(monotonicNow());
  }

  async #round(name: string): Promise<void> {
    const publicKey = PublicKey.parse(name);
    let event: RepublishEvent;
    try {
      const packet = await this.#newest(publicKey);
      const { storedAt } = await this.#client.publish(packet, { signal: this.#closing.signal });
      this.#schedule.succeeded(monotonicNow(), name, storedAt);
      const state = this.#schedule.state(name);
      if (state === undefined) return;
      event = { kind: 'written', packet, copies: storedAt, state };
    } catch (error) {
      this.#schedule.failed(monotonicNow(), name);
      if (this.#closing.signal.aborted || this.#schedule.state(name) === undefined) return;
      event = { kind: 'failed', publicKey, error };
    }
    this.#onRound(event);
  }

  /** What the network has, or what we have where that is newer or nobody answers. */
  async #newest(publicKey: PublicKey): Promise<SignedPacket> {
    const name = `${publicKey}`;
    const own = this.#packets.get(name);
    const found = await this.#client
      .resolveMostRecent(publicKey, { signal: this.#closing.signal })
      .catch((error: unknown) => {
        if (own === undefined || this.#closing.signal.aborted || isForeign(error)) throw error;
        return undefined;
      });
    const newest = found !== undefined && (own === undefined || found.isMoreRecentThan(own)) ? found : own;
    if (newest === undefined)
      throw failure(
        'NO_RESPONSES',
        `nobody has a packet of ${name}`,
        'publish one first, or add the packet itself',
      );
    if (this.#packets.has(name)) this.#packets.set(name, newest);
    return newest;
  }
}

/** The owner uses the key for something newer that is no packet: writing the old one again would be refused. */
function isForeign(error: unknown): boolean {
  return (error as { readonly code?: unknown }).code === 'NEWEST_IS_NO_PACKET';
}

/** Milliseconds that never jump, unlike the time of day. */
function monotonicNow(): number {
  return Math.floor(performance.now());
}
