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
  | 'INVALID_ZONE';

export function failure(
  code: PkarrErrorCode,
  message: string,
  hint?: string,
  cause?: unknown,
): MoliaError<PkarrErrorCode> {
  return new MoliaError(code, message, { ...(hint === undefined ? {} : { hint }), cause });
}
