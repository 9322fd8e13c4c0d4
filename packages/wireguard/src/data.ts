/** Transport data (WireGuard section 5.4.6): sealing and opening in place, the replay rule, roaming, and when to rekey. */
import { type Millis, NONE, PLAINTEXT, TAKEN, type Verdict } from '@molia/core';
import {
  DATA_BYTES_MIN,
  DATA_HEADER_BYTES,
  MESSAGE_DATA,
  PADDING_BYTES,
  REJECT_AFTER_TIME_MS,
  REKEY_AFTER_MESSAGES_HIGH,
  REKEY_AFTER_TIME_MS,
  REKEY_ON_RECEIVE_MS,
} from './constants.ts';
import { WireguardEventKind } from './events.ts';
import { completeHandshake, requestHandshake } from './initiator.ts';
import { LAST_MINUTE, PLAIN, PROVED, WANT_FLUSH, WANT_KEEPALIVE } from './peers.ts';
import { LIVE, RECEIVE_KEY, SESSION_KEY_BYTES, UNCONFIRMED } from './sessions.ts';
import { readIndex, type State, writeIndex } from './state.ts';
import { Count, WireguardDrop } from './verdicts.ts';

const EMPTY = new Uint8Array(0);

/** Payload bytes as they go out: plain peers get multiples of 16, as every WireGuard sends. */
function paddedLength(state: State, row: number, length: number): number {
  if (!state.peers.has(row, PLAIN)) return length;
  return (length + PADDING_BYTES - 1) & ~(PADDING_BYTES - 1);
}

/**
 * Seals `length` bytes at `offset` in place under a usable session, header before and tag behind, and applies the timer and
 * rekey rules of sending. Returns the datagram's length; it begins at `offset - 16`.
 */
export function sealData(
  state: State,
  now: Millis,
  row: number,
  session: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
): number {
  const { sessions, peers } = state;
  const padded = paddedLength(state, row, length);
  for (let i = offset + length; i < offset + padded; i++) bytes[i] = 0;
  const low = sessions.sendLow[session] as number;
  const high = sessions.sendHigh[session] as number;
  const at = offset - DATA_HEADER_BYTES;
  writeIndex(bytes, at, MESSAGE_DATA);
  writeIndex(bytes, at + 4, sessions.remoteIndex[session] as number);
  writeIndex(bytes, at + 8, low);
  writeIndex(bytes, at + 12, high);
  const key = session * SESSION_KEY_BYTES;
  state.cipher.seal(sessions.keys, key, low, high, EMPTY, 0, 0, bytes, offset, padded);
  if (low === 0xffffffff) {
    sessions.sendLow[session] = 0;
    sessions.sendHigh[session] = high + 1;
  } else {
    sessions.sendLow[session] = low + 1;
  }
  state.authenticatedSent(now, row);
  peers.unset(row, WANT_KEEPALIVE);
  if (length > 0) {
    state.dataSent(now, row);
    state.count(Count.DATA_SENT);
  } else {
    state.count(Count.KEEPALIVES_SENT);
  }
  // Rule (a), sending.
  const old =
    sessions.initiator[session] === 1 && now - (sessions.createdAt[session] as number) >= REKEY_AFTER_TIME_MS;
  if (old || high >= REKEY_AFTER_MESSAGES_HIGH) requestHandshake(state, now, row, false);
  return padded + DATA_BYTES_MIN;
}

/** A data message. `PLAINTEXT` unless it is a keepalive. */
export function handleData(
  state: State,
  now: Millis,
  path: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
): Verdict {
  const { sessions, peers } = state;
  if (length < DATA_BYTES_MIN || bytes[offset + 1] !== 0) return state.drop(WireguardDrop.MALFORMED);
  const session = sessions.find(readIndex(bytes, offset + 4));
  if (session === NONE || (sessions.state[session] as number) < UNCONFIRMED) {
    return state.drop(WireguardDrop.UNKNOWN_INDEX);
  }
  const age = now - (sessions.createdAt[session] as number);
  if (age >= REJECT_AFTER_TIME_MS) return state.drop(WireguardDrop.EXPIRED_SESSION);
  const low = readIndex(bytes, offset + 8) >>> 0;
  const high = readIndex(bytes, offset + 12) >>> 0;
  const at = offset + DATA_HEADER_BYTES;
  const plain = length - DATA_BYTES_MIN;
  const key = session * SESSION_KEY_BYTES + RECEIVE_KEY;
  if (!state.cipher.open(sessions.keys, key, low, high, EMPTY, 0, 0, bytes, at, plain)) {
    return state.drop(WireguardDrop.BAD_DATA);
  }
  if (!sessions.windows.accept(session, low, high)) return state.drop(WireguardDrop.REPLAYED_DATA);
  const row = sessions.peer[session] as number;
  if (sessions.state[session] === UNCONFIRMED) confirm(state, now, row, session, path);
  // A doubted session works after all.
  else if (peers.current[row] === NONE && peers.previous[row] === session) {
    peers.current[row] = session;
    peers.previous[row] = NONE;
  }
  state.provePath(row, path);
  state.authenticatedReceived(now, row);
  // Rule (a), receiving: once a session.
  if (
    age >= REKEY_ON_RECEIVE_MS &&
    sessions.initiator[session] === 1 &&
    peers.current[row] === session &&
    !peers.has(row, LAST_MINUTE)
  ) {
    peers.set(row, LAST_MINUTE);
    requestHandshake(state, now, row, false);
  }
  state.peer = peers.handles.handleAt(row);
  state.plainOffset = at;
  state.plainLength = plain;
  if (plain === 0) {
    state.count(Count.KEEPALIVES_RECEIVED);
    return TAKEN;
  }
  state.dataReceived(now, row);
  state.count(Count.DATA_RECEIVED);
  return PLAINTEXT;
}

/** The initiator used the keys that we made as responder: they become the current session. */
function confirm(state: State, now: Millis, row: number, session: number, path: number): void {
  const { sessions, peers } = state;
  const connected = state.usable(now, row) !== NONE;
  sessions.state[session] = LIVE;
  // INVARIANT: an unconfirmed session is its peer's next one, or the only one beside it.
  if (peers.next[row] === session) {
    sessions.free(peers.previous[row] as number);
    peers.previous[row] = peers.current[row] as number;
    peers.next[row] = NONE;
  } else {
    peers.previous[row] = NONE;
  }
  peers.current[row] = session;
  completeHandshake(state, row);
  peers.set(row, PROVED);
  if (peers.queueHead[row] !== NONE) peers.want(row, WANT_FLUSH);
  if (!connected) state.emit(WireguardEventKind.PEER_CONNECTED, row, path);
}
