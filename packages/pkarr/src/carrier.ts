/** What packets travel by: the Mainline DHT or a relay. The client asks all that it has at once. */
import type { PublicKey } from './keys.ts';
import type { SignedPacket } from './signed-packet.ts';

/** How far an answer may lag behind: see `PkarrClient.resolve`. */
export type ResolvePolicy = 'CacheOnly' | 'CacheFirst' | 'NetworkOnly';

/** Something that was found under a key: a verified packet, or an item that is none. */
export type Found = SignedPacket | { readonly invalidSeq: bigint };

export interface Carrier {
  /** For errors. */
  readonly name: string;
  /**
   * Reports what it finds under a key, as it comes, and ends when there is no more. `known`: what the caller has already;
   * older packets need not be reported. Rejects when nobody answered.
   */
  resolve(
    key: PublicKey,
    policy: ResolvePolicy,
    known: SignedPacket | undefined,
    report: (found: Found) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Stores a packet and tells how many nodes confirmed it. `cas`: only over the packet with that timestamp. Rejects with a
   * `MoliaError`.
   */
  publish(packet: SignedPacket, cas: bigint | undefined, signal: AbortSignal): Promise<number>;
}
