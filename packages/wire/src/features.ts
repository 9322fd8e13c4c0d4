/** Feature bits and versions: what two nodes agree on, and gradual enabling of a feature by id. */
import { blake3Into, copyBytes } from '@molia/core';
import { KEY_BYTES } from './constants.ts';

const CANARY_DOMAIN = new TextEncoder().encode('molia/canary/1');
const CANARY_BYTES = CANARY_DOMAIN.length + 1 + KEY_BYTES;

/** The set (u32) of the given `Feature` bit numbers. */
export function featureSet(...bits: readonly number[]): number {
  let set = 0;
  for (const bit of bits) set |= 1 << bit;
  return set >>> 0;
}

export function hasFeature(set: number, bit: number): boolean {
  return ((set >>> bit) & 1) === 1;
}

/** What both sides can do. */
export function negotiateFeatures(ours: number, theirs: number): number {
  return (ours & theirs) >>> 0;
}

/** The highest version in both ranges; 0 = none. */
export function negotiateVersion(ourMin: number, ourMax: number, theirMin: number, theirMax: number): number {
  const version = Math.min(ourMax, theirMax);
  return version >= Math.max(ourMin, theirMin) ? version : 0;
}

/**
 * Whether a feature that is enabled for `percent` (0 to 100) of the network is enabled for this node: the first 32
 * bits of BLAKE3("molia/canary/1" || u8 bit || node id), as a fraction of 2^32, lie below `percent` / 100. Raising the
 * percentage never switches a node off; different features pick different nodes.
 */
export function featureEnabled(bit: number, nodeId: Uint8Array, percent: number): boolean {
  const input = new Uint8Array(CANARY_BYTES);
  input.set(CANARY_DOMAIN);
  input[CANARY_DOMAIN.length] = bit;
  copyBytes(input, CANARY_DOMAIN.length + 1, nodeId, 0, KEY_BYTES);
  const digest = new Uint8Array(KEY_BYTES);
  blake3Into(digest, 0, input, 0, CANARY_BYTES);
  const draw = new DataView(digest.buffer).getUint32(0);
  return draw * 100 < percent * 2 ** 32;
}
