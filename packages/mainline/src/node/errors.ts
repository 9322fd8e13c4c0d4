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

const FAILURES: Readonly<Record<number, readonly [MainlineErrorCode, string, string]>> = {
  [Outcome.NO_NODES]: ['NO_NODES', 'no node answered', 'check the network and the bootstrap nodes'],
  [Outcome.TIMEOUT]: ['PUT_TIMEOUT', 'no node confirmed the put in time', 'try again'],
  [Outcome.REJECTED]: ['PUT_REJECTED', 'all nodes refused the put', 'see the code'],
  [Outcome.NOT_MOST_RECENT]: [
    'NOT_MOST_RECENT',
    'a newer item exists',
    'read it and write with a higher seq',
  ],
  [Outcome.CAS_FAILED]: [
    'CAS_FAILED',
    'the stored item is not the one that cas names',
    'read it, merge, and write again',
  ],
  [Outcome.CONCURRENT_WRITE]: [
    'CONCURRENT_WRITE',
    'another value is written under this seq',
    'read it, merge, and write again',
  ],
};

export function failure(
  code: MainlineErrorCode,
  message: string,
  hint?: string,
): MoliaError<MainlineErrorCode> {
  return new MoliaError(code, message, hint === undefined ? {} : { hint });
}

/** The error for an engine's outcome. */
export function outcomeFailure(outcome: number, errorCode: number): MoliaError<MainlineErrorCode> {
  const [code, message, hint] = FAILURES[outcome] ?? ['NO_NODES', `the operation ended with ${outcome}`, ''];
  return failure(code, errorCode === 0 ? message : `${message} (error ${errorCode})`, hint);
}
