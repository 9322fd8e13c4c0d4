/**
 * The input checks of strict Ed25519 verification, on bytes alone, so that every provider refuses the same
 * signatures (Chalkias, Garillot and Nikolaenko 2020, "Taming the many EdDSAs"): canonical S, canonical A and R, and
 * neither A nor R of small order. What is left differs only in the equation, which is cofactorless for all.
 */

/** The group order L, little endian. */
const ORDER = Uint8Array.of(
  0xed,
  0xd3,
  0xf5,
  0x5c,
  0x1a,
  0x63,
  0x12,
  0x58,
  0xd6,
  0x9c,
  0xf7,
  0xa2,
  0xde,
  0xf9,
  0xde,
  0x14,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0x10,
);

/** y of the four points of order 8 (two values, each with both signs). */
const ORDER_8_A = Uint8Array.of(
  0x26,
  0xe8,
  0x95,
  0x8f,
  0xc2,
  0xb2,
  0x27,
  0xb0,
  0x45,
  0xc3,
  0xf4,
  0x89,
  0xf2,
  0xef,
  0x98,
  0xf0,
  0xd5,
  0xdf,
  0xac,
  0x05,
  0xd3,
  0xc6,
  0x33,
  0x39,
  0xb1,
  0x38,
  0x02,
  0x88,
  0x6d,
  0x53,
  0xfc,
  0x05,
);
const ORDER_8_B = Uint8Array.of(
  0xc7,
  0x17,
  0x6a,
  0x70,
  0x3d,
  0x4d,
  0xd8,
  0x4f,
  0xba,
  0x3c,
  0x0b,
  0x76,
  0x0d,
  0x10,
  0x67,
  0x0f,
  0x2a,
  0x20,
  0x53,
  0xfa,
  0x2c,
  0x39,
  0xcc,
  0xc6,
  0x4e,
  0xc7,
  0xfd,
  0x77,
  0x92,
  0xac,
  0x03,
  0x7a,
);

/**
 * Whether a signature (64 bytes) and a public key (32 bytes) pass the checks above; the lengths are checked too. It does
 * not decompress: a y without a point on the curve passes here and fails in the provider.
 */
export function ed25519InputsStrict(signature: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== 64 || publicKey.length !== 32) return false;
  return (
    scalarCanonical(signature, 32) && ed25519PointStrict(publicKey, 0) && ed25519PointStrict(signature, 0)
  );
}

/** Whether 32 bytes encode a canonical y (below 2^255 - 19) of no point of small order. */
export function ed25519PointStrict(bytes: Uint8Array, offset: number): boolean {
  const first = bytes[offset] as number;
  const last = (bytes[offset + 31] as number) & 0x7f;
  // y >= p - 1 means bytes ff..ff 7f above a first byte from 0xec; p - 1 itself has order 2.
  if (last === 0x7f && first >= 0xec && constantBetween(bytes, offset, 0xff)) return false;
  // y = 0 has order 4, y = 1 is the neutral element.
  if (last === 0 && first <= 1 && constantBetween(bytes, offset, 0)) return false;
  return !sameY(bytes, offset, ORDER_8_A) && !sameY(bytes, offset, ORDER_8_B);
}

function scalarCanonical(bytes: Uint8Array, offset: number): boolean {
  for (let i = 31; i >= 0; i--) {
    const difference = (bytes[offset + i] as number) - (ORDER[i] as number);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** Whether bytes 1 to 30 all hold `value`. */
function constantBetween(bytes: Uint8Array, offset: number, value: number): boolean {
  for (let i = 1; i < 31; i++) {
    if (bytes[offset + i] !== value) return false;
  }
  return true;
}

function sameY(bytes: Uint8Array, offset: number, y: Uint8Array): boolean {
  for (let i = 0; i < 31; i++) {
    if (bytes[offset + i] !== y[i]) return false;
  }
  return ((bytes[offset + 31] as number) & 0x7f) === y[31];
}
