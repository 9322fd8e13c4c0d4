/** @molia/core: the engine contract and the small parts every Molia package stands on. */
export {
  Blake3Hasher,
  blake3,
  blake3DeriveKey,
  blake3Into,
  blake3Keyed,
  blake3Provider,
} from './blake3.ts';
export { Counters, createCounters } from './counters.ts';
export type { Curves } from './curves.ts';
export { nobleCurves } from './curves-noble.ts';
export { ed25519InputsStrict, ed25519PointStrict } from './curves-strict.ts';
export {
  COMPACT_IPV4_BYTES,
  COMPACT_IPV6_BYTES,
  compactEndpointBytes,
  endpointAddress,
  endpointFromCompact,
  endpointPort,
  endpointToCompact,
  formatEndpoint,
  parseEndpoint,
  writeEndpoint,
} from './endpoints.ts';
export type { Engine, Millis, Transmit, Verdict } from './engine.ts';
export { createTransmit, HEADROOM, IDLE, PLAINTEXT, ROOM, SEALED, TAKEN, TransmitFlag } from './engine.ts';
export { AssertionError, assert, MoliaError } from './errors.ts';
export type { TypedArray } from './grow.ts';
export { grow, growF64, growI32, growU8, growU32, NO_F64, NO_I32, NO_U8, NO_U32 } from './grow.ts';
export type { HandleTableOptions } from './handles.ts';
export { HANDLE_INDEX_BITS, HandleTable, NONE } from './handles.ts';
export { fromHex, toHex } from './hex.ts';
export type { HistogramBounds } from './histogram.ts';
export { Histogram } from './histogram.ts';
export type { Identity } from './identity.ts';
export {
  createIdentity,
  networkPsk,
  nodeIdInto,
  nodeIdOf,
  PUBLIC_NETWORK,
  SEED_BYTES,
  SIGNATURE_BYTES,
} from './identity.ts';
export {
  commonPrefixBits,
  compareDistance,
  copyBytes,
  equalBytes,
  equalConstantTime,
  ID_BITS,
  ID_BYTES,
  isZero,
} from './ids.ts';
export type { GivenOptions, OptionLimits } from './options.ts';
export { intInRange, resolveOptions } from './options.ts';
export { ByteRing, FixedQueue } from './queues.ts';
export { randomBelow } from './random.ts';
export type { Rng } from './rng.ts';
export { createSecureRng } from './rng-secure.ts';
export { createSeededRng } from './rng-seeded.ts';
export { wipe } from './secrets.ts';
export { SlotHeap } from './slot-heap.ts';
export { TimerTable } from './timers.ts';
export { TokenBucket } from './token-bucket.ts';
export type { BoundAddress, Transport, TransportHost, TransportStats } from './transport.ts';
export { ENDPOINT_BYTES } from './transport.ts';
export { instantiateWasm, WasmStage, WasmViews } from './wasm-stage.ts';
