/** How peers come and go: creation with eviction of the idle, identity keys, removal with every trace. */
import { copyBytes, equalBytes, equalConstantTime, type Millis, NONE } from '@molia/core';
import { EVICT_IDLE_MS, EVICT_UNCONFIRMED_MS, EVICTION_SAMPLE } from './constants.ts';
import { WireguardEventKind } from './events.ts';
import { forgetInitiated } from './initiator.ts';
import {
  ACTIVE,
  HAS_IDENTITY,
  IDENTITY_KEY,
  MAC1_KEY,
  OPENED,
  PEER_BYTES,
  STATIC_KEY,
  TRYING,
} from './peers.ts';
import type { State } from './state.ts';
import { Count } from './verdicts.ts';
import { dropWaiting } from './waiting.ts';

/** A new row for a static key, evicting an idle peer at `peersMax`; `NONE` when none may go. */
export function addPeer(state: State, now: Millis, key: Uint8Array, offset: number): number {
  const { peers } = state;
  let row = peers.add(key, offset);
  if (row === NONE) {
    if (!evictOne(state, now)) return NONE;
    row = peers.add(key, offset);
  }
  const base = row * PEER_BYTES;
  state.macs.mac1Key(peers.bytes, base + MAC1_KEY, peers.bytes, base + STATIC_KEY);
  peers.jitterMs[row] = state.jitter();
  peers.persistentMs[row] = state.options.persistentKeepaliveMs;
  peers.setTime(row, ACTIVE, now);
  return row;
}

/** The row of an Ed25519 key, made when missing; `NONE` for our own key, a bad key, or no room. */
export function openIdentity(state: State, now: Millis, key: Uint8Array, offset: number): number {
  const { peers } = state;
  const known = peers.byIdentity.find(peers.bytes, key, offset);
  if (known !== NONE) return known;
  if (equalBytes(key, offset, state.options.identityKey, 0, 32)) return NONE;
  copyBytes(state.ephemeral, 0, key, offset, 32);
  if (!state.options.curves.ed25519ToX25519(state.key, state.ephemeral)) return NONE;
  const row = openStatic(state, now, state.key, 0);
  // A static key has two Ed25519 keys (they differ in the sign of x); the first one bound stays.
  if (row !== NONE && !peers.has(row, HAS_IDENTITY)) peers.setIdentity(row, key, offset);
  return row;
}

/** The row of a static key, made when missing; `NONE` for our own key or no room. */
export function openStatic(state: State, now: Millis, key: Uint8Array, offset: number): number {
  const { peers } = state;
  if (equalBytes(key, offset, state.noise.publicKey, 0, 32)) return NONE;
  const known = peers.byStatic.find(peers.bytes, key, offset);
  return known !== NONE ? known : addPeer(state, now, key, offset);
}

/** Binds an identity key to a peer after checking that it maps to the peer's static key. */
export function bindIdentityKey(state: State, row: number, key: Uint8Array, offset: number): boolean {
  const { peers } = state;
  const base = row * PEER_BYTES;
  if (peers.has(row, HAS_IDENTITY)) {
    return equalConstantTime(peers.bytes, base + IDENTITY_KEY, key, offset, 32);
  }
  copyBytes(state.ephemeral, 0, key, offset, 32);
  if (!state.options.curves.ed25519ToX25519(state.key, state.ephemeral)) return false;
  if (!equalConstantTime(state.key, 0, peers.bytes, base + STATIC_KEY, 32)) return false;
  peers.setIdentity(row, key, offset);
  return true;
}

/** Wipes all keys of a peer: its sessions, and the handshake in flight. */
export function zeroKeys(state: State, row: number): void {
  const { peers, sessions } = state;
  sessions.free(peers.previous[row] as number);
  sessions.free(peers.current[row] as number);
  sessions.free(peers.next[row] as number);
  peers.previous[row] = NONE;
  peers.current[row] = NONE;
  peers.next[row] = NONE;
  forgetInitiated(state, row);
  state.count(Count.KEYS_ZEROED);
}

/** Forgets a peer: keys wiped, messages dropped, handle stale. */
export function removePeer(state: State, row: number): void {
  if (state.pendingRow === row) {
    state.pendingRow = NONE;
    state.pendingState.fill(0);
  }
  zeroKeys(state, row);
  dropWaiting(state, row);
  state.timers.clear(row);
  state.peers.remove(row);
}

/**
 * Makes room by the least useful of 64 rows in turn: an unconfirmed stranger first, else the longest idle peer without
 * traffic. Forgetting a peer also forgets its last stamp (see the README on replay).
 */
function evictOne(state: State, now: Millis): boolean {
  const { peers } = state;
  const rows = peers.handles.capacity;
  let victim = NONE;
  let best = 0;
  for (let i = 0; i < EVICTION_SAMPLE && i < rows; i++) {
    const row = state.evictionHand;
    state.evictionHand = row + 1 < rows ? row + 1 : 0;
    const worth = evictable(state, now, row);
    if (worth > best) {
      best = worth;
      victim = row;
    }
  }
  if (victim === NONE) return false;
  state.emit(WireguardEventKind.PEER_CLOSED, victim, state.pathOf(victim));
  removePeer(state, victim);
  state.count(Count.PEERS_EVICTED);
  return true;
}

/** How much a row asks to be evicted; 0 = it must stay. */
function evictable(state: State, now: Millis, row: number): number {
  const { peers } = state;
  if (peers.handles.handleAt(row) === NONE || row === state.pendingRow) return 0;
  if (peers.has(row, TRYING) || peers.queueHead[row] !== NONE) return 0;
  const idle = now - peers.time(row, ACTIVE);
  if (!peers.has(row, OPENED) && peers.current[row] === NONE && idle >= EVICT_UNCONFIRMED_MS) {
    return 2 ** 40 + idle;
  }
  return idle >= EVICT_IDLE_MS ? idle : 0;
}
