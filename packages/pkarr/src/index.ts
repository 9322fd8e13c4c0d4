/** @molia/pkarr: signed DNS packets under public keys; portable, with `fetch` as the only carrier it needs. */
export type { PkarrErrorCode } from './errors.ts';
export { Keypair, PublicKey } from './keys.ts';
export { PacketBuilder } from './packet-builder.ts';
export type { RecordData, ResourceRecord } from './records.ts';
export { TYPE_CODES, textOf, txtData } from './records.ts';
export type { PacketFault, TtlBounds } from './signed-packet.ts';
export { nextTimestamp, normalizeName, SignedPacket } from './signed-packet.ts';
export type { SvcParams } from './svcb.ts';
export { SvcKey } from './svcb.ts';
