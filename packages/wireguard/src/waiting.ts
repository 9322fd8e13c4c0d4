/** The messages of one peer that wait for its handshake: a short chain of the pool's blocks, oldest first. */
import { NONE, TransmitFlag } from '@molia/core';
import { EARLY_MESSAGE_BYTES_MAX } from './constants.ts';
import type { State } from './state.ts';
import { Count } from './verdicts.ts';

/** Appends a copy; the peer's oldest message gives way when it has too many. The block, or `NONE` when all is full. */
export function addWaiting(
  state: State,
  row: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  flags: number,
): number {
  const peers = state.peers;
  if ((peers.queueCount[row] as number) >= state.options.queuedMessagesPerPeer) {
    freeWaiting(state, row, takeWaiting(state, row));
    state.count(Count.MESSAGES_DROPPED);
  }
  const block = state.pool.add(bytes, offset, length, flags);
  if (block === NONE) return NONE;
  const tail = peers.queueTail[row] as number;
  if (tail === NONE) peers.queueHead[row] = block;
  else state.pool.link(tail, block);
  peers.queueTail[row] = block;
  peers.queueCount[row] = (peers.queueCount[row] as number) + 1;
  state.count(Count.MESSAGES_QUEUED);
  return block;
}

/** Unlinks the oldest block and returns it, or `NONE`; free it with `freeWaiting`. */
export function takeWaiting(state: State, row: number): number {
  const peers = state.peers;
  const block = peers.queueHead[row] as number;
  if (block === NONE) return NONE;
  const next = state.pool.next(block);
  peers.queueHead[row] = next;
  if (next === NONE) peers.queueTail[row] = NONE;
  peers.queueCount[row] = (peers.queueCount[row] as number) - 1;
  return block;
}

/** Wipes and frees an unlinked block. */
export function freeWaiting(state: State, row: number, block: number): void {
  if (block === NONE) return;
  if (state.peers.earlyBlock[row] === block) state.peers.earlyBlock[row] = NONE;
  state.pool.free(block);
}

/** Drops all of them; how many there were. */
export function dropWaiting(state: State, row: number): number {
  let dropped = 0;
  for (;;) {
    // BOUNDED: by queuedMessagesPerPeer.
    const block = takeWaiting(state, row);
    if (block === NONE) return dropped;
    freeWaiting(state, row, block);
    dropped++;
  }
}

/** The message that rode in the answered initiation is delivered: takes it out of the chain. */
export function removeEarly(state: State, row: number): void {
  const peers = state.peers;
  const early = peers.earlyBlock[row] as number;
  if (early === NONE) return;
  let before = NONE;
  let block = peers.queueHead[row] as number;
  while (block !== NONE && block !== early) {
    before = block;
    block = state.pool.next(block);
  }
  if (block === NONE) return;
  const next = state.pool.next(block);
  if (before === NONE) peers.queueHead[row] = next;
  else state.pool.link(before, next);
  if (next === NONE) peers.queueTail[row] = before;
  peers.queueCount[row] = (peers.queueCount[row] as number) - 1;
  freeWaiting(state, row, block);
}

/** The message to carry in an extended initiation: the chosen one, else the oldest that may; or `NONE`. */
export function chooseEarly(state: State, row: number): number {
  const chosen = state.peers.earlyBlock[row] as number;
  if (chosen !== NONE) return chosen;
  let block = state.peers.queueHead[row] as number;
  while (block !== NONE) {
    if (mayRide(state.pool.flags(block), state.pool.length(block))) break;
    block = state.pool.next(block);
  }
  state.peers.earlyBlock[row] = block;
  return block;
}

/** Whether a message may be early data. */
export function mayRide(flags: number, length: number): boolean {
  return (flags & TransmitFlag.EARLY) !== 0 && length > 0 && length <= EARLY_MESSAGE_BYTES_MAX;
}
