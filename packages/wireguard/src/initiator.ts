/**
 * Handshakes that we start: when one is due (WireGuard section 6), the initiation plain or with early data, the response, and
 * cookie replies. A forged response costs the handshake nothing.
 */
import {
  copyBytes,
  type Millis,
  NONE,
  PLAINTEXT,
  TAKEN,
  type Transmit,
  TransmitFlag,
  type Verdict,
} from '@molia/core';
import {
  COOKIE_BYTES,
  EARLY_HEADER_BYTES,
  EARLY_RENEW_MS,
  EXTENDED,
  EXTENDED_ATTEMPTS,
  FORGED_RESPONSES_MAX,
  INITIATION_BYTES,
  INITIATION_PAYLOAD_OFFSET,
  INITIATION_SPACING_MS,
  LARGE_ANSWER_INITIATION_BYTES,
  MACS_BYTES,
  MESSAGE_INITIATION,
  QUEUED_MESSAGE_BYTES_MAX,
  REKEY_ATTEMPT_TIME_MS,
  REKEY_TIMEOUT_MS,
  RESPONSE_BYTES,
  RESPONSE_PAYLOAD_OFFSET,
  TAI64N_BYTES,
  ZERO_KEYS_MS,
} from './constants.ts';
import { TAG_BYTES } from './crypto.ts';
import { WireguardEventKind } from './events.ts';
import { endHandshakeMessage, sendCookieReply } from './handshake-end.ts';
import { NOISE_STATE_BYTES } from './noise.ts';
import {
  ATTEMPT_STARTED,
  COOKIE,
  COOKIE_AT,
  COOKIE_RETRIED,
  DEFERRED,
  HANDSHAKE,
  HANDSHAKE_SENT,
  HAS_COOKIE,
  LAST_MAC1,
  LAST_MINUTE,
  LAST_TICK,
  NO_ANSWER,
  OPENED,
  PASSIVE_KEEPALIVE,
  PEER_BYTES,
  PLAIN,
  PROVED,
  RETRANSMIT,
  SENT_EXTENDED,
  SHARED,
  STATIC_KEY,
  TRY_HINT,
  TRYING,
  WANT_FLUSH,
  WANT_INITIATION,
  WANT_KEEPALIVE,
  ZERO_KEYS,
} from './peers.ts';
import { INITIATED, LIVE, RECEIVE_KEY, SESSION_KEY_BYTES } from './sessions.ts';
import { readIndex, type State, writeIndex } from './state.ts';
import { writeStamp } from './tai64n.ts';
import { Count, WireguardDrop } from './verdicts.ts';
import { addWaiting, chooseEarly, dropWaiting, mayRide, removeEarly } from './waiting.ts';

/** Keeps a message until there is a session and sees to it that a handshake runs. */
export function sendLater(
  state: State,
  now: Millis,
  row: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  flags: number,
): Verdict {
  if (state.pathOf(row) === NONE) return state.drop(WireguardDrop.NO_PATH);
  if (length > QUEUED_MESSAGE_BYTES_MAX) return state.drop(WireguardDrop.TOO_LARGE);
  const block = addWaiting(state, row, bytes, offset, length, flags);
  if (block === NONE) return state.drop(WireguardDrop.QUEUE_FULL);
  const early = mayRide(flags, length);
  if (early && renewable(state, now, row)) {
    // What rode in an initiation that is under way arrives with it or not at all, as in any datagram.
    if (state.peers.initiated[row] !== NONE && state.peers.has(row, SENT_EXTENDED)) removeEarly(state, row);
    state.peers.earlyBlock[row] = block;
  }
  requestHandshake(state, now, row, early);
  return TAKEN;
}

/** Whether a new early message may replace the initiation in flight. */
function renewable(state: State, now: Millis, row: number): boolean {
  return !state.peers.has(row, PLAIN) && now - state.peers.time(row, HANDSHAKE_SENT) >= EARLY_RENEW_MS;
}

/**
 * Whether all we know of a peer's address is that it called us from there, which may be forged: it has had its response,
 * and confirms or hears no more from us, even when the storey above opens it on the strength of that call.
 */
export function onlyCalled(state: State, row: number): boolean {
  const { peers } = state;
  return !peers.has(row, PROVED) && (!peers.has(row, OPENED) || peers.next[row] !== NONE);
}

/** An opened peer that has not confirmed for so long may be called anew: it may have restarted. */
function mayCall(state: State, now: Millis, row: number): boolean {
  if (!onlyCalled(state, row)) return true;
  if (!state.peers.has(row, OPENED)) return false;
  return now - (state.sessions.createdAt[state.peers.next[row] as number] as number) > REKEY_TIMEOUT_MS;
}

/** Starts a handshake unless one runs or the last was too recent (rule f); then it comes as soon as it may. */
export function requestHandshake(state: State, now: Millis, row: number, early: boolean): void {
  const peers = state.peers;
  const renew = early && renewable(state, now, row);
  if (peers.has(row, TRYING)) {
    // As published, data that keeps coming keeps the attempt alive; identity peers are given up on time.
    if (peers.has(row, PLAIN)) peers.setTime(row, ATTEMPT_STARTED, now);
    if (renew && mayCall(state, now, row)) peers.want(row, WANT_INITIATION);
    return;
  }
  if (!mayCall(state, now, row)) {
    state.setDeadline(row, DEFERRED, now + REKEY_TIMEOUT_MS);
    return;
  }
  const sent = peers.time(row, HANDSHAKE_SENT);
  if (now - sent < REKEY_TIMEOUT_MS && !renew) {
    state.setDeadline(row, DEFERRED, sent + REKEY_TIMEOUT_MS);
    return;
  }
  peers.set(row, TRYING);
  peers.attempts[row] = 0;
  peers.setTime(row, ATTEMPT_STARTED, now);
  state.clearDeadline(row, DEFERRED);
  peers.want(row, WANT_INITIATION);
}

/** The retry timer of a handshake: once more, or given up. */
export function retryHandshake(state: State, now: Millis, row: number): void {
  const peers = state.peers;
  if (!peers.has(row, TRYING)) {
    // The answer to the initiation before it made the session; the one to this never came.
    forgetInitiated(state, row);
    return;
  }
  const limit = peers.has(row, PLAIN) ? REKEY_ATTEMPT_TIME_MS : state.options.contactAttemptMs;
  if (now - peers.time(row, ATTEMPT_STARTED) >= limit) {
    giveUp(state, now, row);
    return;
  }
  if (!mayCall(state, now, row)) {
    state.setDeadline(row, RETRANSMIT, now + REKEY_TIMEOUT_MS);
    return;
  }
  peers.attempts[row] = (peers.attempts[row] as number) + 1;
  peers.want(row, WANT_INITIATION);
}

/** Nobody answers: forgets the handshake and what waits for it. */
function giveUp(state: State, now: Millis, row: number): void {
  const peers = state.peers;
  completeHandshake(state, row);
  forgetInitiated(state, row);
  const dropped = dropWaiting(state, row);
  state.counters.add(Count.MESSAGES_DROPPED, dropped);
  state.clearDeadline(row, PASSIVE_KEEPALIVE);
  state.clearDeadline(row, NO_ANSWER);
  if (peers.time(row, ZERO_KEYS) === Infinity) state.setDeadline(row, ZERO_KEYS, now + ZERO_KEYS_MS);
  state.count(Count.HANDSHAKES_GIVEN_UP);
  state.emit(WireguardEventKind.PEER_UNREACHABLE, row, state.pathOf(row));
}

/** Ends an attempt: no retry is due any more, and nothing is asked for. */
export function completeHandshake(state: State, row: number): void {
  const peers = state.peers;
  peers.unset(row, TRYING | LAST_MINUTE | COOKIE_RETRIED | TRY_HINT | WANT_INITIATION);
  peers.attempts[row] = 0;
  state.clearDeadline(row, RETRANSMIT);
  state.clearDeadline(row, DEFERRED);
}

/** Frees the indices of the initiations in flight and wipes their ephemerals. */
export function forgetInitiated(state: State, row: number): void {
  const peers = state.peers;
  forgetSuperseded(state, row);
  state.sessions.free(peers.initiated[row] as number);
  peers.initiated[row] = NONE;
  const at = row * PEER_BYTES + HANDSHAKE;
  peers.bytes.fill(0, at, at + NOISE_STATE_BYTES);
}

function forgetSuperseded(state: State, row: number): void {
  const { peers, superseded } = state;
  const slot = peers.superseded[row] as number;
  state.sessions.free(superseded.session(slot));
  superseded.free(slot);
  peers.superseded[row] = NONE;
}

/** Makes way for a newer initiation; the answer to this one is still welcome where both carry early data. */
function supersede(state: State, row: number, extended: boolean): void {
  const { peers, superseded } = state;
  const session = peers.initiated[row] as number;
  if (session === NONE || !extended || !peers.has(row, SENT_EXTENDED)) {
    forgetInitiated(state, row);
    return;
  }
  forgetSuperseded(state, row);
  peers.superseded[row] = superseded.keep(session, peers.bytes, row * PEER_BYTES + HANDSHAKE);
  peers.initiated[row] = NONE;
}

/** Writes the initiation that is due into `out`; `false` when there is nowhere to send it. */
export function writeInitiation(state: State, now: Millis, row: number, out: Transmit): boolean {
  const peers = state.peers;
  const path = initiationPath(state, now, row);
  if (path === NONE || !state.ensureShared(row)) {
    giveUp(state, now, row);
    return false;
  }
  const extended =
    state.options.earlyData &&
    !peers.has(row, PLAIN) &&
    (peers.attempts[row] as number) < EXTENDED_ATTEMPTS &&
    state.usable(now, row) === NONE;
  const { bytes, offset } = out;
  const length = extended ? writeEarly(state, row, bytes, offset) : INITIATION_BYTES;
  const tick = state.stamps.next(now, peers.time(row, LAST_TICK));
  peers.setTime(row, LAST_TICK, tick);
  writeStamp(bytes, offset + INITIATION_PAYLOAD_OFFSET, tick);

  supersede(state, row, extended);
  const session = state.sessions.alloc(row, INITIATED);
  peers.initiated[row] = session;
  bytes[offset] = MESSAGE_INITIATION;
  bytes[offset + 1] = extended ? EXTENDED : 0;
  bytes[offset + 2] = 0;
  bytes[offset + 3] = 0;
  writeIndex(bytes, offset + 4, state.sessions.localIndex[session] as number);
  const base = row * PEER_BYTES;
  state.options.rng.fill(state.ephemeral, 0, 32);
  const written = state.noise.writeInitiation(
    peers.bytes,
    base + HANDSHAKE,
    state.ephemeral,
    peers.bytes,
    base + STATIC_KEY,
    peers.bytes,
    base + SHARED,
    extended ? state.presharedKey : undefined,
    bytes,
    offset + 8,
    length - INITIATION_PAYLOAD_OFFSET - TAG_BYTES - MACS_BYTES,
  );
  state.ephemeral.fill(0);
  state.noise.wipeScratch();
  if (!written) {
    giveUp(state, now, row);
    return false;
  }
  endHandshakeMessage(state, now, row, bytes, offset, length);
  if (extended) peers.set(row, SENT_EXTENDED);
  else peers.unset(row, SENT_EXTENDED);
  state.setDeadline(row, RETRANSMIT, now + REKEY_TIMEOUT_MS + state.jitter());
  state.count(Count.INITIATIONS_SENT);
  out.to = path;
  out.length = length;
  out.flags = 0;
  return true;
}

/** Where the initiation goes: turn by turn to the proven and the hinted path while there is no session. */
function initiationPath(state: State, now: Millis, row: number): number {
  const peers = state.peers;
  const hint = peers.hint[row] as number;
  const proven = peers.proven[row] as number;
  if (hint === NONE || proven === NONE || hint === proven || state.usable(now, row) !== NONE) {
    return state.pathOf(row);
  }
  const path = peers.has(row, TRY_HINT) ? hint : proven;
  if (path === hint) peers.unset(row, TRY_HINT);
  else peers.set(row, TRY_HINT);
  return path;
}

/** Lays the early data out behind the stamp's place; the length of the whole initiation. */
function writeEarly(state: State, row: number, bytes: Uint8Array, offset: number): number {
  const block = chooseEarly(state, row);
  const messageLength = block === NONE ? 0 : state.pool.length(block);
  const large = block !== NONE && (state.pool.flags(block) & TransmitFlag.LARGE_ANSWER) !== 0;
  const needed = INITIATION_BYTES + EARLY_HEADER_BYTES + messageLength;
  const length = large && needed < LARGE_ANSWER_INITIATION_BYTES ? LARGE_ANSWER_INITIATION_BYTES : needed;
  let at = offset + INITIATION_PAYLOAD_OFFSET + TAI64N_BYTES;
  const end = offset + length - TAG_BYTES - MACS_BYTES;
  copyBytes(bytes, at, state.options.identityKey, 0, 32);
  const capabilities = state.options.capabilities;
  bytes[at + 32] = capabilities >>> 24;
  bytes[at + 33] = capabilities >>> 16;
  bytes[at + 34] = capabilities >>> 8;
  bytes[at + 35] = capabilities;
  bytes[at + 36] = messageLength >>> 8;
  bytes[at + 37] = messageLength;
  at += EARLY_HEADER_BYTES;
  if (block !== NONE) {
    copyBytes(bytes, at, state.pool.bytes, state.pool.offset(block), messageLength);
    state.count(Count.EARLY_MESSAGES_SENT);
  }
  bytes.fill(0, at + messageLength, end);
  return length;
}

/** A response: the session is ours to use at once. `PLAINTEXT` when it carries the early answer. */
export function handleResponse(
  state: State,
  now: Millis,
  path: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
): Verdict {
  const { sessions, peers } = state;
  const extended = bytes[offset + 1] === EXTENDED;
  if (extended ? length < RESPONSE_BYTES : length !== RESPONSE_BYTES) {
    return state.drop(WireguardDrop.MALFORMED);
  }
  if (!state.macs.verifyMac1(bytes, offset, length)) return state.drop(WireguardDrop.BAD_MAC1);
  const session = sessions.find(readIndex(bytes, offset + 8));
  if (session === NONE || sessions.state[session] !== INITIATED) {
    return state.drop(WireguardDrop.UNKNOWN_INDEX);
  }
  const row = sessions.peer[session] as number;
  if (extended && !peers.has(row, SENT_EXTENDED)) return state.drop(WireguardDrop.MALFORMED);
  if ((sessions.failures[session] as number) >= FORGED_RESPONSES_MAX) {
    state.readSource(path);
    if (!state.macs.verifyMac2(now, bytes, offset, length)) {
      return sendCookieReply(state, now, path, bytes, offset, length);
    }
  }
  const answerLength = length - RESPONSE_BYTES;
  const slot = peers.superseded[row] as number;
  const isNewest = peers.initiated[row] === session;
  const handshakes = isNewest ? peers.bytes : state.superseded.bytes;
  const handshake = isNewest ? row * PEER_BYTES + HANDSHAKE : slot * NOISE_STATE_BYTES;
  const psk = state.presharedKey;
  if (!state.noise.readResponse(handshakes, handshake, psk, bytes, offset + 12, answerLength)) {
    state.noise.wipeScratch();
    sessions.failures[session] = Math.min(255, (sessions.failures[session] as number) + 1);
    return state.drop(WireguardDrop.BAD_HANDSHAKE);
  }
  const connected = state.usable(now, row) !== NONE;
  sessions.remoteIndex[session] = readIndex(bytes, offset + 4);
  const keys = session * SESSION_KEY_BYTES;
  state.noise.split(state.noise.state, 0, sessions.keys, keys, sessions.keys, keys + RECEIVE_KEY);
  sessions.state[session] = LIVE;
  sessions.initiator[session] = 1;
  sessions.createdAt[session] = now;
  installInitiated(state, row, session);
  if (isNewest) {
    peers.initiated[row] = NONE;
    forgetInitiated(state, row);
    completeHandshake(state, row);
  } else {
    state.superseded.free(slot);
    peers.superseded[row] = NONE;
    const expiresAt = peers.time(row, RETRANSMIT);
    completeHandshake(state, row);
    // The newer one may still be answered, and is forgotten when it would have been sent again.
    state.setDeadline(row, RETRANSMIT, expiresAt);
  }
  state.setDeadline(row, ZERO_KEYS, now + ZERO_KEYS_MS);
  peers.set(row, PROVED);
  state.provePath(row, path);
  state.authenticatedReceived(now, row);
  state.count(Count.RESPONSES_RECEIVED);
  state.count(Count.SESSIONS_MADE);
  if (peers.has(row, SENT_EXTENDED)) removeEarly(state, row);
  // Rule (h): the responder may not use the keys until it hears from us under them.
  peers.want(row, peers.queueHead[row] !== NONE ? WANT_FLUSH | WANT_KEEPALIVE : WANT_KEEPALIVE);
  if (!connected) state.emit(WireguardEventKind.PEER_CONNECTED, row, path);
  if (answerLength === 0) return TAKEN;
  state.count(Count.EARLY_ANSWERS_RECEIVED);
  state.peer = peers.handles.handleAt(row);
  state.plainOffset = offset + RESPONSE_PAYLOAD_OFFSET;
  state.plainLength = answerLength;
  state.early = true;
  return PLAINTEXT;
}

/** Our new session becomes the current one. A crossing one of theirs that is not confirmed yet stays to receive on. */
function installInitiated(state: State, row: number, session: number): void {
  const { sessions, peers } = state;
  const crossing = peers.next[row] as number;
  sessions.free(peers.previous[row] as number);
  if (crossing !== NONE) {
    sessions.free(peers.current[row] as number);
    sessions.state[crossing] = LIVE;
    peers.previous[row] = crossing;
    peers.next[row] = NONE;
  } else {
    peers.previous[row] = peers.current[row] as number;
  }
  peers.current[row] = session;
}

/** A cookie reply to the last handshake message we sent this peer. */
export function handleCookie(
  state: State,
  now: Millis,
  bytes: Uint8Array,
  offset: number,
  length: number,
): Verdict {
  if (length !== COOKIE_BYTES || bytes[offset + 1] !== 0) return state.drop(WireguardDrop.MALFORMED);
  const session = state.sessions.find(readIndex(bytes, offset + 4));
  if (session === NONE) return state.drop(WireguardDrop.UNKNOWN_INDEX);
  const { peers } = state;
  const row = state.sessions.peer[session] as number;
  const base = row * PEER_BYTES;
  const slab = peers.bytes;
  if (
    !state.macs.openReply(bytes, offset, slab, base + STATIC_KEY, slab, base + LAST_MAC1, slab, base + COOKIE)
  ) {
    return state.drop(WireguardDrop.BAD_COOKIE);
  }
  peers.set(row, HAS_COOKIE);
  peers.setTime(row, COOKIE_AT, now);
  state.count(Count.COOKIE_REPLIES_RECEIVED);
  // As published, the cookie waits for the retry timer. An identity peer retries at once, one time an attempt.
  if (peers.has(row, TRYING) && !peers.has(row, PLAIN | COOKIE_RETRIED)) {
    peers.set(row, COOKIE_RETRIED);
    const spaced = peers.time(row, HANDSHAKE_SENT) + INITIATION_SPACING_MS + 1;
    if (now >= spaced) peers.want(row, WANT_INITIATION);
    else state.setDeadline(row, RETRANSMIT, spaced);
  }
  return TAKEN;
}
