/** The port through which the server finds packets. */
import { PublicKey } from '../keys.ts';

/** What is used of a signed packet. */
interface FoundPacket {
  /** Its DNS message. */
  readonly message: Uint8Array;
  /** Milliseconds since 1970, from when on its TTLs count; unless given, now. */
  readonly lastSeen?: number;
}

/** What finds packets: a client of `createPkarrClient` fits. */
export interface PacketSource {
  /**
   * The newest signed packet of a key, verified, or `undefined` when it has none. Rejects when nobody could be asked. `signal`
   * aborts when the answer is not awaited any more.
   */
  resolve(publicKey: PublicKey, options: { readonly signal: AbortSignal }): Promise<FoundPacket | undefined>;
}

/** Asks for the packet of 32 bytes. What is no point of the curve is no key: nobody can have signed for it. */
export function findPacket(
  source: PacketSource,
  key: Uint8Array,
  signal: AbortSignal,
): Promise<FoundPacket | undefined> {
  const publicKey = PublicKey.tryFromBytes(key);
  return publicKey === undefined ? Promise.resolve(undefined) : source.resolve(publicKey, { signal });
}
