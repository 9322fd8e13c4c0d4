/** What a peer's timer does: every deadline that has passed, in one visit (timer rules (a) to (h) of WireGuard). */
import { type Millis, NONE } from '@molia/core';
import { onlyCalled, requestHandshake, retryHandshake } from './initiator.ts';
import { zeroKeys } from './peer-life.ts';
import {
  ARMED,
  DEFERRED,
  NO_ANSWER,
  OPENED,
  PASSIVE_KEEPALIVE,
  PERSISTENT,
  RETRANSMIT,
  TIMES,
  WANT_KEEPALIVE,
  ZERO_KEYS,
} from './peers.ts';
import type { State } from './state.ts';
import { Count } from './verdicts.ts';
import { dropWaiting } from './waiting.ts';

/** Runs a peer whose timer fired; it may have fired early, as deadlines move without touching the wheel. */
export function runDeadlines(state: State, now: Millis, row: number): void {
  const { peers } = state;
  peers.times[row * TIMES + ARMED] = Infinity;
  if (take(state, now, row, RETRANSMIT)) retryHandshake(state, now, row);
  if (take(state, now, row, PASSIVE_KEEPALIVE) && state.usable(now, row) !== NONE) {
    peers.want(row, WANT_KEEPALIVE);
  }
  if (take(state, now, row, NO_ANSWER)) requestHandshake(state, now, row, false);
  if (take(state, now, row, DEFERRED)) startDeferred(state, now, row);
  if (take(state, now, row, ZERO_KEYS)) zeroKeys(state, row);
  if (take(state, now, row, PERSISTENT)) keepAlive(state, now, row);
  state.rearm(row);
}

function take(state: State, now: Millis, row: number, column: number): boolean {
  const times = state.peers.times;
  const at = row * TIMES + column;
  if ((times[at] as number) > now) return false;
  times[at] = Infinity;
  return true;
}

/** Starts the handshake that had to wait, if messages wait for it or the current session is to be replaced. */
function startDeferred(state: State, now: Millis, row: number): void {
  if (onlyCalled(state, row)) {
    state.counters.add(Count.MESSAGES_DROPPED, dropWaiting(state, row));
  } else if (state.peers.queueHead[row] !== NONE || state.usable(now, row) !== NONE) {
    requestHandshake(state, now, row, false);
  }
}

function keepAlive(state: State, now: Millis, row: number): void {
  const { peers } = state;
  const every = peers.persistentMs[row] as number;
  if (every === 0) return;
  if (state.usable(now, row) !== NONE) peers.want(row, WANT_KEEPALIVE);
  else if (peers.has(row, OPENED)) requestHandshake(state, now, row, false);
  state.setDeadline(row, PERSISTENT, now + every);
}
