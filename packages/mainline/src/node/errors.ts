/** What an operation of the Mainline client fails with. */
import { MoliaError } from '@molia/core';
import { Outcome } from '../types.ts';

export type MainlineErrorCode =
  /** No node of the network answered. */
  | 'NO_NODES'
  /** Nodes were found, and none confirmed the put in time. */
  | 'PUT_TIMEOUT'
  /** All nodes refused the put; the message holds their code. */
  | 'PUT_REJECTED'
  /** A newer item exists: read it, and write with a higher sequence number. */
  | 'NOT_MOST_RECENT'
  /** The stored item's sequence number is not the one given as `cas`. */
  | 'CAS_FAILED'
  /** Another value is being or was written under the same sequence number, or a put of this item runs without `cas`. */
  | 'CONCURRENT_WRITE'
  /** The node is closed. */
  | 'CLOSED'
  /** More than 1024 operations run. */
  | 'BUSY'
  /** No bootstrap name could be resolved. */
  | 'NO_BOOTSTRAP';

/** What to do about each: the `hint` of the error. */
export const mainlineHints: Readonly<Record<MainlineErrorCode, string>> = {
  NO_NODES: 'check the network and the bootstrap nodes',
  PUT_TIMEOUT: 'try again',
  PUT_REJECTED:
    'look the code up in BEP 44; 205: a value of more than 1000 bytes bencoded is refused by most nodes',
  NOT_MOST_RECENT: 'read it and write with a higher seq',
  CAS_FAILED: 'read it, merge, and write again',
  CONCURRENT_WRITE: 'read it, merge, and write again',
  CLOSED: 'make a new one',
  BUSY: 'wait for some of them',
  NO_BOOTSTRAP: 'check the name server, or pass addresses',
};

const FAILURES: Readonly<Record<number, readonly [MainlineErrorCode, string]>> = {
  [Outcome.NO_NODES]: ['NO_NODES', 'no node answered'],
  [Outcome.TIMEOUT]: ['PUT_TIMEOUT', 'no node confirmed the put in time'],
  [Outcome.REJECTED]: ['PUT_REJECTED', 'all nodes refused the put'],
  [Outcome.NOT_MOST_RECENT]: ['NOT_MOST_RECENT', 'a newer item exists'],
  [Outcome.CAS_FAILED]: ['CAS_FAILED', 'the stored item is not the one that cas names'],
  [Outcome.CONCURRENT_WRITE]: ['CONCURRENT_WRITE', 'another value is written under this seq'],
};

export function failure(code: MainlineErrorCode, message: string): MoliaError<MainlineErrorCode> {
  return new MoliaError(code, message, { hint: mainlineHints[code] });
}

/** The error for an engine's outcome. */
export function outcomeFailure(outcome: number, errorCode: number): MoliaError<MainlineErrorCode> {
  const [code, message] = FAILURES[outcome] ?? ['NO_NODES', `the operation ended with ${outcome}`];
  return failure(code, errorCode === 0 ? message : `${message} (error ${errorCode})`);
}
