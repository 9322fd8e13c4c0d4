/** @molia/pkarr: signed DNS packets under public keys; portable, with `fetch` as the only carrier it needs. */
export type { ResolvePolicy } from './carrier.ts';
export type { PkarrClient, PkarrClientOptions, PublishOutcome } from './client.ts';
export { createPkarrClient } from './client.ts';
export { DEFAULT_RELAYS } from './constants.ts';
export type { Endpoint, EndpointOptions } from './endpoints.ts';
export type { PkarrErrorCode } from './errors.ts';
export { Keypair, PublicKey } from './keys.ts';
export type { MutableStore } from './mainline-carrier.ts';
export { PacketBuilder } from './packet-builder.ts';
export type { PacketCache } from './packet-cache.ts';
export { createMemoryCache } from './packet-cache.ts';
export type { RecordData, ResourceRecord } from './records.ts';
export { TYPE_CODES, textOf, txtData } from './records.ts';
export type { PacketFault, TtlBounds } from './signed-packet.ts';
export { nextTimestamp, normalizeName, SignedPacket } from './signed-packet.ts';
export type { SvcParams } from './svcb.ts';
export { SvcKey } from './svcb.ts';
