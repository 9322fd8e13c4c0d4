/** @molia/wireguard: WireGuard as a sans-IO engine for many peers, with first contact in one round trip. */
export { nobleCipher } from './cipher-noble.ts';
export { createWasmCipher, defaultCipher } from './cipher-wasm.ts';
export type { Cipher } from './crypto.ts';
export { createWireguard, Wireguard } from './engine.ts';
export type { WireguardEvent } from './events.ts';
export { createWireguardEvent, WireguardEventKind } from './events.ts';
export type { ShardOption, WireguardOptions } from './options.ts';
export { WireguardDrop, wireguardCounterNames, wireguardDropNames } from './verdicts.ts';
