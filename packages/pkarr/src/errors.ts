/** What an operation on packets fails with. */
import { MoliaError } from '@molia/core';

export type PkarrErrorCode =
  /** The text or the bytes are no public key. */
  | 'INVALID_KEY'
  /** The bytes are no signed packet: too short, too long, wrongly signed, or no DNS message. */
  | 'INVALID_PACKET'
  /** The DNS message would have more than 1000 bytes. */
  | 'PACKET_TOO_LARGE'
  /** A zone file has a line that cannot be used; the message says which. */
  | 'INVALID_ZONE'
  /** Neither the Mainline DHT nor a relay is configured. */
  | 'NO_NETWORK'
  /** Nobody who was asked gave an answer; `cause` holds what each said. */
  | 'NO_RESPONSES'
  /** The newest item under the key is no signed packet, so that older packets do not count; `seq` is its sequence number. */
  | 'NEWEST_IS_NO_PACKET'
  /** A newer packet exists. */
  | 'NOT_MOST_RECENT'
  /** The stored packet's timestamp is not the one given as `cas`. */
  | 'CAS_FAILED'
  /** Another packet of the key is being written. */
  | 'CONCURRENT_WRITE'
  /** A relay refuses the request; the message holds its status. */
  | 'REJECTED'
  /** A relay has had too many requests from this address. */
  | 'RATE_LIMITED'
  /** A relay or the DHT gave no answer in time. */
  | 'TIMEOUT'
  /** A relay cannot be reached, or cannot reach the DHT. */
  | 'UNAVAILABLE'
  /** The client, relay or republisher is closed. */
  | 'CLOSED';

/**
 * What to do about each, where the error itself has no better advice.
 * @public Read by tools/generate-errors.mjs.
 */
export const pkarrHints: Readonly<Record<PkarrErrorCode, string>> = {
  INVALID_KEY: 'a key has 52 digits of z-base-32',
  INVALID_PACKET: 'check where the bytes come from; nothing in them can be trusted',
  PACKET_TOO_LARGE: 'use fewer or shorter records',
  INVALID_ZONE: 'correct the line; RFC 1035 §5.1 has the form of zone files',
  NO_NETWORK: 'pass `mainline`, or at least one of `relays`',
  NO_RESPONSES: 'check the network and the relays',
  NEWEST_IS_NO_PACKET: 'the key is used for something else, or its owner must publish again',
  NOT_MOST_RECENT: 'resolve the newest packet, and sign again with a later timestamp',
  CAS_FAILED: 'resolve the newest packet, merge, and publish again with its timestamp as `cas`',
  CONCURRENT_WRITE: 'wait until the other write has ended, resolve, merge, and publish again',
  REJECTED: 'check the URL of the relay, and that its software is current',
  RATE_LIMITED: 'wait a little, or use another relay',
  TIMEOUT: 'try again, or allow more time',
  UNAVAILABLE: 'check the URL and the network, or use another relay',
  CLOSED: 'make a new one',
};

export function failure(
  code: PkarrErrorCode,
  message: string,
  hint: string = pkarrHints[code],
  cause?: unknown,
): MoliaError<PkarrErrorCode> {
  return new MoliaError(code, message, { hint, cause });
}
