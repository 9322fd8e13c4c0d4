/** @molia/erasure: Reed-Solomon codes by WebAssembly SIMD, and blobs that survive the loss of their holders. */
export type { RepairPlan } from './availability.ts';
export {
  CODINGS,
  missProbability,
  pickSamples,
  planRepair,
  samplesFor,
  unavailability,
} from './availability.ts';
export { BlobDecoder } from './blob-decoder.ts';
export type { BlobEncoderOptions, Block, Sealing } from './blob-encoder.ts';
export { BlobEncoder, BlockKind, createBlock } from './blob-encoder.ts';
export { BLOCK_BYTES_MAX, SHARD_BYTES_DEFAULT } from './constants.ts';
export type { KernelName } from './kernel.ts';
export type { GaloisPort } from './kernel-native.ts';
export { BlobDrop, Page, Root, readPage, readRoot } from './manifest.ts';
export type { Coding, ReedSolomon, ReedSolomonOptions } from './reed-solomon.ts';
export { createReedSolomon } from './reed-solomon.ts';
