/** Options of the engine: resolved once, unknown keys refused. */
import { type Curves, intInRange, type Rng, resolveOptions } from '@molia/core';
import { QUEUED_MESSAGE_BYTES_MAX, TAI64N_BYTES } from './constants.ts';
import type { Cipher } from './crypto.ts';

/** Which shard of a node this engine is: `index` goes into the top `bits` (0 to 6) of its receiver indices. */
export interface ShardOption {
  readonly index: number;
  readonly bits: number;
}

export interface WireguardOptions {
  /** X25519 secret, 32 bytes; copied. */
  readonly staticSecret: Uint8Array;
  /** Our Ed25519 public key, 32 bytes, whose X25519 form belongs to `staticSecret`; goes out in early data. */
  readonly identityKey: Uint8Array;
  /** Pre-shared key of the network, 32 bytes (default: zeros). */
  readonly presharedKey?: Uint8Array | undefined;
  readonly curves: Curves;
  /** Default: the fastest that runs here. */
  readonly cipher?: Cipher | undefined;
  readonly rng: Rng;
  /** Unix milliseconds at `now` = 0. */
  readonly wallMsAtZero: number;
  /** `lastTai64n` of an earlier run: our stamps stay later even when the wall clock went back. */
  readonly tai64nFloor?: Uint8Array | undefined;
  /** Peers at most (default 65,536, up to 2^20); beyond it idle ones are evicted. */
  readonly peersMax?: number | undefined;
  /** Rows to start with (default 16). */
  readonly initialPeers?: number | undefined;
  /** Whether an initiation by an unknown static key makes a peer (default true). */
  readonly acceptUnknown?: boolean | undefined;
  readonly shard?: ShardOption | undefined;
  /** Send and accept extended initiations (default true). Off, the engine is a plain WireGuard. */
  readonly earlyData?: boolean | undefined;
  /** u32 sent in early data (default 0). */
  readonly capabilities?: number | undefined;
  /** Writes the address and port of a path (up to 19 bytes, port last) at `out[offset]`; returns the length. */
  readonly pathBytes: (path: number, out: Uint8Array, offset: number) => number;
  /** Persistent keepalive of every peer in ms, 0 (default) = none. */
  readonly persistentKeepaliveMs?: number | undefined;
  /** Bytes of messages that wait for handshakes, all peers together (default 4 MiB). */
  readonly queueBytesMax?: number | undefined;
  /** Messages that wait for one peer's handshake (default 8); the oldest gives way. */
  readonly queuedMessagesPerPeer?: number | undefined;
  /** Initiations a second beyond which the engine is under load (default 400). */
  readonly handshakesPerSecondMax?: number | undefined;
  /** Initiations at once before that rate counts (default 100). */
  readonly handshakesBurst?: number | undefined;
  /** How long a handshake with an identity peer is tried, ms (default 15,000); plain peers have WireGuard's 90 s. */
  readonly contactAttemptMs?: number | undefined;
}

/** `WireguardOptions` with nothing missing. */
export interface ResolvedOptions {
  readonly staticSecret: Uint8Array;
  readonly identityKey: Uint8Array;
  readonly presharedKey: Uint8Array;
  readonly curves: Curves;
  readonly cipher: Cipher | undefined;
  readonly rng: Rng;
  readonly wallMsAtZero: number;
  readonly tai64nFloor: Uint8Array | undefined;
  readonly peersMax: number;
  readonly initialPeers: number;
  readonly acceptUnknown: boolean;
  readonly shard: ShardOption;
  readonly earlyData: boolean;
  readonly capabilities: number;
  readonly pathBytes: (path: number, out: Uint8Array, offset: number) => number;
  readonly persistentKeepaliveMs: number;
  readonly queueBytesMax: number;
  readonly queuedMessagesPerPeer: number;
  readonly handshakesPerSecondMax: number;
  readonly handshakesBurst: number;
  readonly contactAttemptMs: number;
}

type Defaults = { readonly [K in keyof ResolvedOptions]: ResolvedOptions[K] | undefined };

/** What an option is when it is not given; `undefined` where it must be given. */
export const DEFAULTS: Defaults = Object.freeze({
  staticSecret: undefined,
  identityKey: undefined,
  presharedKey: new Uint8Array(32),
  curves: undefined,
  cipher: undefined,
  rng: undefined,
  wallMsAtZero: undefined,
  tai64nFloor: undefined,
  peersMax: 65_536,
  initialPeers: 16,
  acceptUnknown: true,
  shard: Object.freeze({ index: 0, bits: 0 }),
  earlyData: true,
  capabilities: 0,
  pathBytes: undefined,
  persistentKeepaliveMs: 0,
  queueBytesMax: 4 * 1024 * 1024,
  queuedMessagesPerPeer: 8,
  handshakesPerSecondMax: 400,
  handshakesBurst: 100,
  contactAttemptMs: 15_000,
});

/** Throws TypeError for unknown or missing options and RangeError for values out of bounds. */
export function resolveWireguardOptions(given: WireguardOptions): ResolvedOptions {
  const options = resolveOptions<Defaults>('Wireguard', DEFAULTS, given, {
    peersMax: [1, 2 ** 20],
    initialPeers: [1, 2 ** 20],
    capabilities: [0, 2 ** 32 - 1],
    persistentKeepaliveMs: [0, 3_600_000],
    queueBytesMax: [QUEUED_MESSAGE_BYTES_MAX, 2 ** 30],
    queuedMessagesPerPeer: [1, 1024],
    handshakesPerSecondMax: [1, 1_000_000],
    handshakesBurst: [1, 1_000_000],
    contactAttemptMs: [1_000, 3_600_000],
  }) as ResolvedOptions;
  requireBytes('staticSecret', options.staticSecret, 32);
  requireBytes('identityKey', options.identityKey, 32);
  requireBytes('presharedKey', options.presharedKey, 32);
  if (options.tai64nFloor !== undefined) requireBytes('tai64nFloor', options.tai64nFloor, TAI64N_BYTES);
  requireGiven('curves', options.curves, 'object');
  requireGiven('rng', options.rng, 'object');
  requireGiven('pathBytes', options.pathBytes, 'function');
  if (!(options.wallMsAtZero >= 0 && options.wallMsAtZero < 2 ** 48)) {
    throw new RangeError(`Wireguard.wallMsAtZero must be Unix milliseconds, not ${options.wallMsAtZero}`);
  }
  intInRange('Wireguard.shard.bits', options.shard.bits, 0, 6);
  intInRange('Wireguard.shard.index', options.shard.index, 0, 2 ** options.shard.bits - 1);
  return options;
}

function requireBytes(name: string, value: Uint8Array, length: number): void {
  if (!(value instanceof Uint8Array) || value.length !== length) {
    throw new TypeError(`Wireguard.${name} must be a Uint8Array of ${length} bytes`);
  }
}

function requireGiven(name: string, value: unknown, type: string): void {
  if (typeof value !== type) throw new TypeError(`Wireguard.${name} must be given: ${type} expected`);
}
