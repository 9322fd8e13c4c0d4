/**
 * Handshakes that others start: who may cost us a Diffie-Hellman, the stamp and spacing rules, early data, and the response,
 * plain or with the early answer. A peer row exists only after the initiation opened.
 */
import {
  copyBytes,
  equalBytes,
  equalConstantTime,
  type Millis,
  NONE,
  PLAINTEXT,
  TAKEN,
  type Verdict,
} from '@molia/core';
import {
  AMPLIFICATION_MAX,
  EARLY_HEADER_BYTES,
  EXTENDED,
  EXTENDED_INITIATION_BYTES_MAX,
  INITIATION_BYTES,
  INITIATION_PAYLOAD_OFFSET,
  INITIATION_SPACING_MS,
  MACS_BYTES,
  MESSAGE_RESPONSE,
  RESPONSE_BYTES,
  RESPONSE_PAYLOAD_OFFSET,
  TAI64N_BYTES,
  ZERO_KEYS_MS,
} from './constants.ts';
import { TAG_BYTES } from './crypto.ts';
import { endHandshakeMessage, sendCookieReply } from './handshake-end.ts';
import { NOISE_STATE_BYTES } from './noise.ts';
import { addPeer } from './peer-life.ts';
import {
  HAS_IDENTITY,
  HAS_SHARED,
  HAS_STAMP,
  IDENTITY_KEY,
  INITIATION_RECEIVED,
  PEER_BYTES,
  REMOTE_STAMP,
  SHARED,
  STATIC_KEY,
  ZERO_KEYS,
} from './peers.ts';
import { RECEIVE_KEY, SESSION_KEY_BYTES, UNCONFIRMED } from './sessions.ts';
import { readIndex, type State, writeIndex } from './state.ts';
import { stampAfter } from './tai64n.ts';
import { Count, WireguardDrop } from './verdicts.ts';

/** Bytes of an initiation around its payload's plaintext. */
const AROUND_PAYLOAD = INITIATION_PAYLOAD_OFFSET + TAG_BYTES + MACS_BYTES;
const EARLY_OFFSET = INITIATION_PAYLOAD_OFFSET + TAI64N_BYTES;
const MESSAGE_OFFSET = EARLY_OFFSET + EARLY_HEADER_BYTES;

/** An initiation. `PLAINTEXT` when it carries an early message: the first `send` to the peer answers it. */
export function handleInitiation(
  state: State,
  now: Millis,
  path: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
): Verdict {
  const extended = bytes[offset + 1] === EXTENDED;
  if (!initiationShaped(state, extended, length)) return state.drop(WireguardDrop.MALFORMED);
  if (!state.macs.verifyMac1(bytes, offset, length)) return state.drop(WireguardDrop.BAD_MAC1);
  state.load.record(now);
  const loaded = state.load.underLoad(now);
  let proved = false;
  if (loaded || extended) {
    state.readSource(path);
    proved = state.macs.verifyMac2(now, bytes, offset, length);
  }
  if (loaded) {
    if (!proved) return sendCookieReply(state, now, path, bytes, offset, length);
    if (!state.sources.take(now, state.macs.source, state.macs.sourceLength)) {
      return state.drop(WireguardDrop.RATE_LIMITED);
    }
  }
  const verdict = openInitiation(state, now, path, bytes, offset, length, extended);
  state.shared.fill(0);
  if (verdict < 0) {
    state.noise.wipeScratch();
    return state.drop(verdict);
  }
  // From here on `state.peer` is the initiator.
  const row = state.peers.handles.index(state.peer);
  const remoteIndex = readIndex(bytes, offset + 4);
  if (verdict === PLAINTEXT) {
    copyBytes(state.pendingState, 0, state.noise.state, 0, NOISE_STATE_BYTES);
    state.pendingRow = row;
    state.pendingPath = path;
    state.pendingRemoteIndex = remoteIndex;
    state.pendingLength = length;
    state.pendingProved = proved;
    state.noise.wipeScratch();
    return PLAINTEXT;
  }
  respondPlain(state, now, row, path, remoteIndex, state.noise.state);
  return TAKEN;
}

function initiationShaped(state: State, extended: boolean, length: number): boolean {
  if (!extended) return length === INITIATION_BYTES;
  return (
    state.options.earlyData &&
    length >= INITIATION_BYTES + EARLY_HEADER_BYTES &&
    length <= EXTENDED_INITIATION_BYTES_MAX
  );
}

/** Opens an initiation and applies it to its peer; the verdict is not counted yet. Sets `state.peer`. */
function openInitiation(
  state: State,
  now: Millis,
  path: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  extended: boolean,
): Verdict {
  const { noise, peers } = state;
  if (!noise.readInitiationStatic(bytes, offset + 8)) return WireguardDrop.BAD_HANDSHAKE;
  const remote = noise.remoteStatic;
  if (equalBytes(remote, 0, noise.publicKey, 0, 32)) return WireguardDrop.SELF;
  let row = peers.byStatic.find(peers.bytes, remote, 0);
  if (row === NONE && !state.options.acceptUnknown) return WireguardDrop.UNKNOWN_PEER;
  const payloadLength = length - AROUND_PAYLOAD;
  const cached = row !== NONE && peers.has(row, HAS_SHARED);
  if (!cached && !noise.staticShared(state.shared, remote)) return WireguardDrop.BAD_HANDSHAKE;
  const shared = cached ? peers.bytes : state.shared;
  const sharedOffset = cached ? row * PEER_BYTES + SHARED : 0;
  const psk = extended ? state.presharedKey : undefined;
  if (!noise.readInitiationPayload(shared, sharedOffset, psk, bytes, offset + 8, payloadLength)) {
    return WireguardDrop.BAD_HANDSHAKE;
  }
  const stamp = offset + INITIATION_PAYLOAD_OFFSET;
  if (row !== NONE && peers.has(row, HAS_STAMP)) {
    if (!stampAfter(bytes, stamp, peers.bytes, row * PEER_BYTES + REMOTE_STAMP)) {
      return WireguardDrop.REPLAYED_INITIATION;
    }
    if (now - peers.time(row, INITIATION_RECEIVED) < INITIATION_SPACING_MS) {
      return WireguardDrop.INITIATION_FLOOD;
    }
  }
  let messageLength = 0;
  if (extended) {
    const at = offset + EARLY_OFFSET;
    messageLength = ((bytes[at + 36] as number) << 8) | (bytes[at + 37] as number);
    if (messageLength > payloadLength - TAI64N_BYTES - EARLY_HEADER_BYTES) return WireguardDrop.MALFORMED;
    if (!identityMatches(state, row, remote, bytes, at)) return WireguardDrop.BAD_IDENTITY;
  }
  if (row === NONE) {
    row = addPeer(state, now, remote, 0);
    if (row === NONE) return WireguardDrop.PEERS_FULL;
  }
  if (!cached) state.adoptShared(row);
  copyBytes(peers.bytes, row * PEER_BYTES + REMOTE_STAMP, bytes, stamp, TAI64N_BYTES);
  peers.set(row, HAS_STAMP);
  peers.setTime(row, INITIATION_RECEIVED, now);
  state.provePath(row, path);
  state.authenticatedReceived(now, row);
  state.count(Count.INITIATIONS_RECEIVED);
  state.peer = peers.handles.handleAt(row);
  if (!extended) return TAKEN;
  adoptEarlyHeader(state, row, bytes, offset + EARLY_OFFSET);
  if (messageLength === 0) return TAKEN;
  state.plainOffset = offset + MESSAGE_OFFSET;
  state.plainLength = messageLength;
  state.early = true;
  state.count(Count.EARLY_MESSAGES_RECEIVED);
  return PLAINTEXT;
}

/** Whether the Ed25519 key at `offset` is the one of the static key that the handshake proved. */
function identityMatches(
  state: State,
  row: number,
  remote: Uint8Array,
  bytes: Uint8Array,
  offset: number,
): boolean {
  const { peers } = state;
  if (row !== NONE && peers.has(row, HAS_IDENTITY)) {
    return equalConstantTime(peers.bytes, row * PEER_BYTES + IDENTITY_KEY, bytes, offset, 32);
  }
  const mapped = state.key;
  const given = state.ephemeral;
  copyBytes(given, 0, bytes, offset, 32);
  if (!state.options.curves.ed25519ToX25519(mapped, given)) return false;
  return equalConstantTime(mapped, 0, remote, 0, 32);
}

function adoptEarlyHeader(state: State, row: number, bytes: Uint8Array, at: number): void {
  const { peers } = state;
  if (!peers.has(row, HAS_IDENTITY)) peers.setIdentity(row, bytes, at);
  peers.capabilities[row] =
    ((bytes[at + 32] as number) << 24) |
    ((bytes[at + 33] as number) << 16) |
    ((bytes[at + 34] as number) << 8) |
    (bytes[at + 35] as number);
}

const plainResponse = new Uint8Array(RESPONSE_BYTES);

/** Queues a plain response to the initiation whose state is `handshake`. */
function respondPlain(
  state: State,
  now: Millis,
  row: number,
  path: number,
  remoteIndex: number,
  handshake: Uint8Array,
): void {
  if (!writeResponse(state, now, row, remoteIndex, handshake, plainResponse, 0, 0)) return;
  if (!state.outbox.push(path, 0, plainResponse, 0, RESPONSE_BYTES)) state.count(Count.OUTBOX_FULL);
}

/** The initiation with early data gets no early answer: queues the plain response, if one is owed. */
export function settlePending(state: State, now: Millis): void {
  const row = state.pendingRow;
  if (row === NONE) return;
  state.pendingRow = NONE;
  respondPlain(state, now, row, state.pendingPath, state.pendingRemoteIndex, state.pendingState);
}

/** Whether an answer of `length` bytes may ride in the pending response: 3 times what came, or a proved address. */
export function answerFits(state: State, length: number): boolean {
  return state.pendingProved || RESPONSE_BYTES + length <= AMPLIFICATION_MAX * state.pendingLength;
}

/** Builds the pending response around the answer at `offset`, in the caller's buffer. `false`: a bad key. */
export function answerPending(
  state: State,
  now: Millis,
  bytes: Uint8Array,
  offset: number,
  length: number,
): boolean {
  const row = state.pendingRow;
  state.pendingRow = NONE;
  const at = offset - RESPONSE_PAYLOAD_OFFSET;
  const remoteIndex = state.pendingRemoteIndex;
  if (!writeResponse(state, now, row, remoteIndex, state.pendingState, bytes, at, length)) return false;
  state.count(Count.EARLY_ANSWERS_SENT);
  state.sealedTo = state.pendingPath;
  state.sealedOffset = at;
  state.sealedLength = RESPONSE_BYTES + length;
  return true;
}

/** Writes a response at `out[at]` (the answer's plaintext already lies at `at + 44`) and makes the next session. */
function writeResponse(
  state: State,
  now: Millis,
  row: number,
  remoteIndex: number,
  handshake: Uint8Array,
  out: Uint8Array,
  at: number,
  answerLength: number,
): boolean {
  const { peers, sessions, noise } = state;
  state.options.rng.fill(state.ephemeral, 0, 32);
  const key = row * PEER_BYTES + STATIC_KEY;
  const psk = state.presharedKey;
  const { ephemeral } = state;
  const written = noise.writeResponse(
    handshake,
    0,
    ephemeral,
    peers.bytes,
    key,
    psk,
    out,
    at + 12,
    answerLength,
  );
  ephemeral.fill(0);
  if (!written) {
    noise.wipeScratch();
    handshake.fill(0);
    state.count(-WireguardDrop.BAD_HANDSHAKE);
    return false;
  }
  // A stranger may have asked twice before our first answer reached it, and use either.
  if (peers.current[row] === NONE && peers.previous[row] === NONE)
    peers.previous[row] = peers.next[row] as number;
  else sessions.free(peers.next[row] as number);
  const session = sessions.alloc(row, UNCONFIRMED);
  peers.next[row] = session;
  sessions.initiator[session] = 0;
  sessions.remoteIndex[session] = remoteIndex;
  sessions.createdAt[session] = now;
  const keys = session * SESSION_KEY_BYTES;
  noise.split(handshake, 0, sessions.keys, keys + RECEIVE_KEY, sessions.keys, keys);
  out[at] = MESSAGE_RESPONSE;
  out[at + 1] = answerLength > 0 ? EXTENDED : 0;
  out[at + 2] = 0;
  out[at + 3] = 0;
  writeIndex(out, at + 4, sessions.localIndex[session] as number);
  writeIndex(out, at + 8, remoteIndex);
  endHandshakeMessage(state, now, row, out, at, RESPONSE_BYTES + answerLength);
  state.setDeadline(row, ZERO_KEYS, now + ZERO_KEYS_MS);
  state.count(Count.RESPONSES_SENT);
  state.count(Count.SESSIONS_MADE);
  return true;
}
