/** Where the client keeps packets. */
import { LRUCache } from 'lru-cache';
import type { SignedPacket } from './signed-packet.ts';

/** A store of packets by key (z-base-32). It may forget any of them at any time. */
export interface PacketCache {
  get(key: string): SignedPacket | undefined;
  set(key: string, packet: SignedPacket): void;
}

/** The `packetsMax` packets used last; 0 keeps none. */
export function createMemoryCache(packetsMax: number): PacketCache {
  if (packetsMax === 0) return { get: () => undefined, set: () => undefined };
  const entries = new LRUCache<string, SignedPacket>({ max: packetsMax });
  return {
    get: (key) => entries.get(key),
    set: (key, packet) => {
      entries.set(key, packet);
    },
  };
}
