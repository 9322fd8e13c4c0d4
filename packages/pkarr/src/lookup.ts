/** One search for the packet of a key, over all carriers at once, for any number of callers. */
import type { Found } from './carrier.ts';
import { failure } from './errors.ts';
import type { SignedPacket } from './signed-packet.ts';

type Ask = (report: (found: Found) => void) => Promise<void>;

export class Lookup {
  /** Answers below it are not passed on. */
  readonly floor: SignedPacket | undefined;
  readonly #isUsable: (packet: SignedPacket) => boolean;
  readonly #keep: (packet: SignedPacket) => void;
  readonly #abort = new AbortController();
  readonly #first: Promise<SignedPacket | undefined>;
  #settleFirst!: (packet: SignedPacket | undefined) => void;
  #isSettled = false;
  #done: Promise<void> = Promise.resolve();
  #newest: SignedPacket | undefined;
  #invalidSeq = -1n;
  readonly #failures: unknown[] = [];
  #waiting = 0;
  /** Carriers that answered to the end. */
  answered = 0;

  /** `isUsable`: whether an answer may be. `keep` hears of every packet. */
  constructor(
    floor: SignedPacket | undefined,
    isUsable: (packet: SignedPacket) => boolean,
    keep: (packet: SignedPacket) => void,
  ) {
    this.floor = floor;
    this.#isUsable = isUsable;
    this.#keep = keep;
    this.#first = new Promise((resolve) => {
      this.#settleFirst = resolve;
    });
  }

  /** Aborted when nobody waits any more and nothing was found. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Resolves when all carriers have ended. Never rejects. */
  get done(): Promise<void> {
    return this.#done;
  }

  start(asks: readonly Ask[]): void {
    const all = asks.map((ask) =>
      ask((found) => this.#hear(found)).then(
        () => {
          this.answered++;
        },
        (error: unknown) => {
          this.#failures.push(error);
        },
      ),
    );
    this.#done = Promise.all(all).then(() => this.#settle(undefined));
  }

  /** The first usable packet, or `undefined` at the end. Rejects with the reason of `signal`. */
  first(signal: AbortSignal | undefined): Promise<SignedPacket | undefined> {
    return this.#wait(this.#first, signal);
  }

  /** The newest packet, when all carriers have ended; `undefined` also where the newest item is no packet. */
  newest(signal: AbortSignal | undefined): Promise<SignedPacket | undefined> {
    const end = this.#done.then(() =>
      this.#newest !== undefined && this.#newest.timestamp >= this.#invalidSeq ? this.#newest : undefined,
    );
    return this.#wait(end, signal);
  }

  /** Throws NEWEST_IS_NO_PACKET with the number as `seq` or, when nobody answered, NO_RESPONSES or what the only carrier said. */
  throwIfUseless(): void {
    if (this.#invalidSeq > (this.#newest?.timestamp ?? -1n))
      throw Object.assign(
        failure(
          'NEWEST_IS_NO_PACKET',
          `the newest item under the key (sequence number ${this.#invalidSeq}) is no signed packet`,
          'the key is used for something else, or its owner must publish again',
        ),
        { seq: this.#invalidSeq },
      );
    if (this.answered > 0 || this.#newest !== undefined) return;
    if (this.#failures.length === 1) throw this.#failures[0];
    throw failure(
      'NO_RESPONSES',
      'nobody answered',
      'check the network and the relays',
      new AggregateError(this.#failures),
    );
  }

  #hear(found: Found): void {
    if ('invalidSeq' in found) {
      if (found.invalidSeq > this.#invalidSeq) this.#invalidSeq = found.invalidSeq;
      return;
    }
    if (this.#newest === undefined || found.isMoreRecentThan(this.#newest)) this.#newest = found;
    this.#keep(found);
    const isBelow = this.floor?.isMoreRecentThan(found) === true || found.timestamp < this.#invalidSeq;
    if (!isBelow && this.#isUsable(found)) this.#settle(found);
  }

  #settle(packet: SignedPacket | undefined): void {
    this.#isSettled = true;
    this.#settleFirst(packet);
  }

  async #wait<Result>(work: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
    if (signal === undefined) {
      // This caller never gives up, so the search must not either.
      this.#waiting = Number.POSITIVE_INFINITY;
      return work;
    }
    signal.throwIfAborted();
    this.#waiting++;
    let onAbort = (): void => {};
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
    });
    try {
      return await Promise.race([work, aborted]);
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#waiting--;
      if (signal.aborted && this.#waiting === 0 && !this.#isSettled) this.#abort.abort(signal.reason);
    }
  }
}
