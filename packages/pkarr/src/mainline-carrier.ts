/** Packets as mutable items of the Mainline DHT (BEP 44). */
import type { Curves, MoliaError } from '@molia/core';
import type { MutableItem } from '@molia/mainline';
import type { Carrier, Found, ResolvePolicy } from './carrier.ts';
import { failure, type PkarrErrorCode } from './errors.ts';
import type { PublicKey } from './keys.ts';
import { SignedPacket } from './signed-packet.ts';

/** What the client needs of a DHT node: `Mainline` of `@molia/mainline/node` fits. Items must be verified. */
export interface MutableStore {
  getMutable(
    key: Uint8Array,
    options: { newerThan?: bigint | undefined; signal?: AbortSignal | undefined },
  ): AsyncIterable<MutableItem>;
  putMutable(
    item: MutableItem,
    options: { cas?: bigint; signal?: AbortSignal | undefined },
  ): Promise<{ readonly storedAt: number }>;
}

/** Codes of `@molia/mainline` that mean the same here. */
const SAME: readonly string[] = ['NOT_MOST_RECENT', 'CAS_FAILED', 'CONCURRENT_WRITE', 'CLOSED'];
const TIMEOUTS: readonly string[] = ['PUT_TIMEOUT'];
const REFUSALS: readonly string[] = ['PUT_REJECTED'];

export class MainlineCarrier implements Carrier {
  readonly name = 'the Mainline DHT';
  readonly #store: MutableStore;
  readonly #curves: Curves;

  constructor(store: MutableStore, curves: Curves) {
    this.#store = store;
    this.#curves = curves;
  }

  async resolve(
    key: PublicKey,
    policy: ResolvePolicy,
    known: SignedPacket | undefined,
    report: (found: Found) => void,
    signal: AbortSignal,
  ): Promise<void> {
    if (policy === 'CacheOnly') return;
    // One below what is known: that it is still held there is news, too.
    const newerThan = known === undefined || known.timestamp === 0n ? undefined : known.timestamp - 1n;
    try {
      for await (const item of this.#store.getMutable(key.bytes, { newerThan, signal })) {
        const packet = SignedPacket.readItem(item, Date.now(), this.#curves);
        report(typeof packet === 'string' ? { invalidSeq: item.seq } : packet);
      }
    } catch (error) {
      throw translated(error);
    }
  }

  async publish(packet: SignedPacket, cas: bigint | undefined, signal: AbortSignal): Promise<number> {
    try {
      const options = cas === undefined ? { signal } : { cas, signal };
      return (await this.#store.putMutable(packet.toItem(), options)).storedAt;
    } catch (error) {
      throw translated(error);
    }
  }
}

function translated(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'MoliaError') return error;
  const { code, message, hint } = error as MoliaError;
  const own = SAME.includes(code)
    ? (code as PkarrErrorCode)
    : TIMEOUTS.includes(code)
      ? 'TIMEOUT'
      : REFUSALS.includes(code)
        ? 'REJECTED'
        : 'UNAVAILABLE';
  return failure(own, `the Mainline DHT: ${message}`, hint, error);
}
