/** @molia/pkarr/dns: a name server for public keys and everything else, over UDP, TCP and HTTPS. Needs Node. */
export { DnsEngine, ENGINE_DEFAULTS, type EngineOptions } from '../dns/engine.ts';
export { Carrier, DnsVerdict, type Output } from '../dns/types.ts';
export type { PacketSource } from './packet-source.ts';
export type {
  BoundPlace,
  NameServer,
  NameServerErrorCode,
  NameServerOptions,
  NameServerStats,
} from './server.ts';
export { createNameServer } from './server.ts';
