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

export function failure(
  code: PkarrErrorCode,
  message: string,
  hint?: string,
  cause?: unknown,
): MoliaError<PkarrErrorCode> {
  return new MoliaError(code, message, { ...(hint === undefined ? {} : { hint }), cause });
}
