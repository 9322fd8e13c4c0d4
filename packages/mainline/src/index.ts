/** @molia/mainline: the BitTorrent Mainline DHT; formats and engine, portable. `@molia/mainline/node` drives it over UDP. */
export type { BencodeInput, BencodeValue } from './bencode.ts';
export { decodeBencode, encodeBencode } from './bencode.ts';
export { BOOTSTRAP } from './constants.ts';
export { ENGINE_DEFAULTS, MainlineEngine } from './engine.ts';
export type { MutableItem } from './items.ts';
export { immutableTarget, mutableTarget, SEQUENCE_MAX, signedBuffer, signItem, verifyItem } from './items.ts';
export { KrpcMessage, MessageKind, Method, readKrpc } from './krpc-read.ts';
export { crc32c, isSecureId, writeSecureId } from './node-id.ts';
export type { Datagram } from './outbox.ts';
export { createDatagram } from './outbox.ts';
export type { EngineOptions, MainlineEvent, MainlineMode, NodeInfo, RequestFilter } from './types.ts';
export { createMainlineEvent, EventKind, MainlineDrop, Outcome } from './types.ts';
