/**
 * Errors of the assembly. Two families, never mixed:
 *
 * - *Misuse* is thrown synchronously as a TypeError or RangeError that carries a `code` ({@link InputErrorCode});
 *   nothing was sent or stored.
 * - *An operation failed* rejects with one `MoliaError` whose `code` is a {@link MoliaErrorCode}; `hint` says what
 *   to do and `cause` keeps what it was made from.
 */
import { MoliaError } from '@molia/core';

/** Codes of a `MoliaError` that an operation of this package may reject with. */
export type MoliaErrorCode =
  /** Nobody who was asked holds a valid record for the key. */
  | 'NOT_FOUND'
  /** `timeoutMs` elapsed first. */
  | 'TIMEOUT'
  /** The caller's `signal` fired; `cause` is its reason. */
  | 'ABORTED'
  /** Too many operations of this node are waiting already. */
  | 'BUSY'
  /** The node was closed before or while the operation ran. */
  | 'CLOSED'
  /** No other node could be reached: nothing to ask. */
  | 'NO_PEERS'
  /** The one node that was addressed did not answer. */
  | 'PEER_UNREACHABLE'
  /** Fewer nodes than asked for accepted the record; `error.cause` carries `{ holders, wanted }`. */
  | 'NOT_ENOUGH_HOLDERS'
  /** A record with the same or a higher sequence is held already; nothing was replaced. */
  | 'STALE_SEQUENCE'
  /** Compare-and-swap: the sequence held is not the one that was expected. */
  | 'CAS_MISMATCH'
  /** Two different values were signed under one sequence; the network keeps the larger hash. */
  | 'EQUIVOCATION'
  /** The local address is taken. */
  | 'ADDRESS_IN_USE'
  /** The local address cannot be bound: not ours, not permitted, family not supported. */
  | 'ADDRESS_UNAVAILABLE'
  /** The transport broke after it was open. */
  | 'TRANSPORT_FAILED'
  /** Another process has the data directory open. */
  | 'STORE_LOCKED'
  /** The data directory cannot be created, read or written (permissions, a file in its place). */
  | 'STORE_UNUSABLE'
  /** The data directory was written by a version that stores records in another way. */
  | 'STORE_VERSION'
  /** The network holds the record, but the disk did not take this node's own copy. */
  | 'STORE_NOT_DURABLE'
  /** A seed's host name did not resolve. */
  | 'SEED_UNRESOLVED'
  /** Asked for something that this version does not do. */
  | 'UNSUPPORTED';

/** Codes on the TypeErrors and RangeErrors that are thrown synchronously for misuse. */
export type InputErrorCode =
  /** An argument has the wrong type or is out of range. */
  | 'INVALID_ARGUMENT'
  /** A key, public key or hash is not 32 bytes of lower-case hex. */
  | 'INVALID_KEY'
  /** A seed is not `<64 hex digits>@host:port`. */
  | 'INVALID_SEED'
  /** A value is longer than 64 KiB, or metadata, namespace or salt are beyond their limit. */
  | 'VALUE_TOO_LARGE';

/** A `MoliaError` of this package. `hint` is one sentence that says what to do. */
export function dhtError(
  code: MoliaErrorCode,
  message: string,
  options?: { cause?: unknown; hint?: string },
): MoliaError<MoliaErrorCode> {
  return new MoliaError(code, message, options);
}

/** Whether `error` is a `MoliaError`, with `code` when given. */
export function isMoliaError(error: unknown, code?: MoliaErrorCode): error is MoliaError<MoliaErrorCode> {
  return error instanceof MoliaError && (code === undefined || error.code === code);
}

/** A RangeError for misuse that carries `code`. */
export function rangeError(code: InputErrorCode, message: string): RangeError & { code: InputErrorCode } {
  return Object.assign(new RangeError(message), { code });
}

/** A TypeError for misuse that carries `code`. */
export function typeError(code: InputErrorCode, message: string): TypeError & { code: InputErrorCode } {
  return Object.assign(new TypeError(message), { code });
}
