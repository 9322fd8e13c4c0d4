/**
 * The 256-bit XOR space: distance, prefix and equality over ids that lie anywhere in a buffer (Kademlia,
 * Maymounkov and Mazières 2002, section 2.1). Nothing here allocates and nothing checks bounds: an offset outside
 * the array is the caller's bug.
 */

/** Bytes of a node id, of a key and of an Ed25519 public key. */
export const ID_BYTES = 32;
/** Bits of the id space. */
export const ID_BITS = 256;

/**
 * Orders two ids by XOR distance to `target`: negative when `a` is closer, positive when `b` is, 0 when they are
 * the same id.
 */
export function compareDistance(
  target: Uint8Array,
  targetOffset: number,
  a: Uint8Array,
  aOffset: number,
  b: Uint8Array,
  bOffset: number,
): number {
  for (let i = 0; i < ID_BYTES; i++) {
    const x = a[aOffset + i] as number;
    const y = b[bOffset + i] as number;
    if (x !== y) {
      const t = target[targetOffset + i] as number;
      return (x ^ t) - (y ^ t);
    }
  }
  return 0;
}

/** How many leading bits two ids share: 0 to 256 (256 = the same id). */
export function commonPrefixBits(a: Uint8Array, aOffset: number, b: Uint8Array, bOffset: number): number {
  for (let i = 0; i < ID_BYTES; i++) {
    const x = (a[aOffset + i] as number) ^ (b[bOffset + i] as number);
    if (x !== 0) return i * 8 + Math.clz32(x) - 24;
  }
  return ID_BITS;
}

/** Whether two ranges hold the same bytes; stops at the first difference, so never for secrets. */
export function equalBytes(
  a: Uint8Array,
  aOffset: number,
  b: Uint8Array,
  bOffset: number,
  length: number,
): boolean {
  for (let i = 0; i < length; i++) {
    if (a[aOffset + i] !== b[bOffset + i]) return false;
  }
  return true;
}

/** `equalBytes` in time that depends on `length` alone: for tags, keys and cookies. */
export function equalConstantTime(
  a: Uint8Array,
  aOffset: number,
  b: Uint8Array,
  bOffset: number,
  length: number,
): boolean {
  let difference = 0;
  for (let i = 0; i < length; i++) {
    difference |= (a[aOffset + i] as number) ^ (b[bOffset + i] as number);
  }
  return difference === 0;
}

/** Copies `length` bytes forward, without a `subarray` (112 bytes of garbage); the ranges may not overlap. */
export function copyBytes(
  target: Uint8Array,
  targetOffset: number,
  source: Uint8Array,
  sourceOffset: number,
  length: number,
): void {
  for (let i = 0; i < length; i++) {
    target[targetOffset + i] = source[sourceOffset + i] as number;
  }
}

/** Whether a range is all zero, in time that depends on `length` alone. */
export function isZero(bytes: Uint8Array, offset: number, length: number): boolean {
  let any = 0;
  for (let i = 0; i < length; i++) any |= bytes[offset + i] as number;
  return any === 0;
}
