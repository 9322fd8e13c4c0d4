/** @molia/pkarr/dns: a name server for public keys and everything else, over UDP, TCP and HTTPS. Needs Node. */
export { DnsEngine, ENGINE_DEFAULTS, type EngineOptions } from './engine.ts';
export type { PacketSource } from './packet-source.ts';
export type {
  BoundPlace,
  NameServer,
  NameServerErrorCode,
  NameServerOptions,
  NameServerStats,
} from './sockets/server.ts';
export { createNameServer } from './sockets/server.ts';
export { Carrier, DnsVerdict, type Output } from './types.ts';
