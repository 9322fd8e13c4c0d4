/** What both roles do with a handshake message: end one that goes out, and ask for proof of address instead of opening one. */
import { copyBytes, type Millis, type Verdict } from '@molia/core';
import { COOKIE_BYTES, COOKIE_USE_MS, MAC_BYTES, MACS_BYTES } from './constants.ts';
import { COOKIE, COOKIE_AT, HANDSHAKE_SENT, HAS_COOKIE, LAST_MAC1, MAC1_KEY, PEER_BYTES } from './peers.ts';
import type { State } from './state.ts';
import { Count, WireguardDrop } from './verdicts.ts';

const reply = new Uint8Array(COOKIE_BYTES);

/** Ends a handshake message that we send: its MACs, and the timers of rules (d), (f) and (g). */
export function endHandshakeMessage(
  state: State,
  now: Millis,
  row: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
): void {
  const peers = state.peers;
  const base = row * PEER_BYTES;
  const hasCookie = peers.has(row, HAS_COOKIE) && now - peers.time(row, COOKIE_AT) < COOKIE_USE_MS;
  const { bytes: slab } = peers;
  state.macs.writeMacs(bytes, offset, length, slab, base + MAC1_KEY, slab, base + COOKIE, hasCookie);
  copyBytes(slab, base + LAST_MAC1, bytes, offset + length - MACS_BYTES, MAC_BYTES);
  peers.setTime(row, HANDSHAKE_SENT, now);
  state.authenticatedSent(now, row);
}

/** Queues a cookie reply to a handshake message that must prove its address first. */
export function sendCookieReply(
  state: State,
  now: Millis,
  path: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
): Verdict {
  state.macs.writeReply(now, reply, 0, bytes, offset, length);
  if (state.outbox.push(path, 0, reply, 0, COOKIE_BYTES)) state.count(Count.COOKIE_REPLIES_SENT);
  else state.count(Count.OUTBOX_FULL);
  return state.drop(WireguardDrop.COOKIE_REQUIRED);
}
