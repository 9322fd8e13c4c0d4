/**
 * The peerstore of a node on a keyed store: which public key was met at which endpoint, how fast it answers and when it
 * was last seen; and one stamp of the node itself. What was seen longest ago makes way first and expires.
 */
import { copyBytes, equalBytes } from '@molia/core';
import { NEVER_UNIX } from './constants.ts';
import type { KeyedStore } from './keyed-store.ts';
import { StoreEntry } from './store-types.ts';

const KEY = 32;
/** A contact that was not seen for so long is not worth a packet. */
const CONTACT_SECS = 30 * 86_400;
/** Seen again: written when the last note of it is older than this, or the round trip changed by a quarter. */
const SEEN_SECS = 600;
const RTT_CHANGE = 1 / 4;
/** Round trips are kept in tenths of a millisecond. */
const RTT_UNITS = 10;
/** No public key: the row of the stamp. */
const STAMP_KEY = new Uint8Array(KEY);

export interface StoredContact {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly endpoint: Uint8Array;
  /** Smoothed round trip, NaN = never measured. */
  readonly srttMs: number;
  /** Unix seconds. */
  readonly lastSeenUnix: number;
}

/** A peerstore on an open keyed store, which bounds it. */
export function createContactStore(keyed: KeyedStore): ContactStore {
  return new ContactStore(keyed);
}

export class ContactStore {
  readonly keyed: KeyedStore;
  private readonly entry = new StoreEntry();

  constructor(keyed: KeyedStore) {
    this.keyed = keyed;
  }

  /**
   * A contact was met. Written when it is new or its endpoint changed; that it was seen again is a soft update. `false` =
   * the disk is too far behind for it.
   */
  remember({ publicKey, endpoint, srttMs, lastSeenUnix }: StoredContact): boolean {
    const { keyed, entry } = this;
    entry.key = publicKey;
    entry.keyOffset = 0;
    entry.value = endpoint;
    entry.valueOffset = 0;
    entry.valueLength = endpoint.length;
    entry.expiresUnix = Math.min(lastSeenUnix + CONTACT_SECS, NEVER_UNIX - 1);
    entry.rank = Math.max(1, NEVER_UNIX - lastSeenUnix);
    entry.tag = srttMs >= 0 ? Math.min(0x7fffffff, Math.round(srttMs * RTT_UNITS) + 1) : 0;
    const slot = keyed.find(publicKey, 0);
    if (slot < 0 || !this.isEndpoint(slot, endpoint)) return keyed.put(entry) >= 0;
    const { rows } = keyed;
    const isOld = entry.expiresUnix - (rows.expiry.keys[slot] as number) >= SEEN_SECS;
    const before = rows.tag[slot] as number;
    if (!isOld && Math.abs(entry.tag - before) <= before * RTT_CHANGE) return true;
    return keyed.touch(slot, entry, true);
  }

  /** All contacts, last seen first. */
  contacts(): StoredContact[] {
    const { keyed } = this;
    const { rows } = keyed;
    const found: StoredContact[] = [];
    for (let slot = 0; slot < rows.capacity; slot++) {
      if (rows.length[slot] === 0 || equalBytes(rows.keys, slot * KEY, STAMP_KEY, 0, KEY)) continue;
      const at = keyed.load(slot);
      if (at < 0) continue;
      const rtt = rows.tag[slot] as number;
      found.push({
        publicKey: rows.keys.slice(slot * KEY, (slot + 1) * KEY),
        endpoint: keyed.loaded.slice(at, at + keyed.valueLength(slot)),
        srttMs: rtt === 0 ? Number.NaN : (rtt - 1) / RTT_UNITS,
        lastSeenUnix: (rows.expiry.keys[slot] as number) - CONTACT_SECS,
      });
    }
    return found.sort((a, b) => b.lastSeenUnix - a.lastSeenUnix);
  }

  /** Keeps a few bytes of the node's own, in place of the last ones. */
  setStamp(stamp: Uint8Array): boolean {
    const { entry } = this;
    entry.key = STAMP_KEY;
    entry.keyOffset = 0;
    entry.value = stamp;
    entry.valueOffset = 0;
    entry.valueLength = stamp.length;
    entry.expiresUnix = NEVER_UNIX;
    entry.rank = 0;
    entry.tag = 0;
    return this.keyed.put(entry) >= 0;
  }

  stamp(): Uint8Array | undefined {
    const { keyed } = this;
    const slot = keyed.find(STAMP_KEY, 0);
    const at = slot < 0 ? -1 : keyed.load(slot);
    if (at < 0) return undefined;
    const stamp = new Uint8Array(keyed.valueLength(slot));
    copyBytes(stamp, 0, keyed.loaded, at, stamp.length);
    return stamp;
  }

  private isEndpoint(slot: number, endpoint: Uint8Array): boolean {
    if (this.keyed.valueLength(slot) !== endpoint.length) return false;
    const at = this.keyed.load(slot);
    return at >= 0 && equalBytes(this.keyed.loaded, at, endpoint, 0, endpoint.length);
  }
}
