// BLAKE2s (RFC 7693), one block at a time, a row of the state to a vector.
import { rotl, rotl16 } from './chacha20';

/** Chaining value (32 bytes). */
const H: usize = memory.data(32, 16);
/** Copy of a last, partial block. */
const LAST: usize = memory.data(64, 16);

/** Message schedule (RFC 7693 section 2.7) as byte offsets, in the order the vectors below take them. */
const SIGMA: usize = memory.data<u8>([
  0, 8, 16, 24, 4, 12, 20, 28, 56, 32, 40, 48, 60, 36, 44, 52,
  56, 16, 36, 52, 40, 32, 60, 24, 20, 4, 0, 44, 12, 48, 8, 28,
  44, 48, 20, 60, 32, 0, 8, 52, 36, 40, 12, 28, 16, 56, 24, 4,
  28, 12, 52, 44, 36, 4, 48, 56, 60, 8, 20, 16, 32, 24, 40, 0,
  36, 20, 8, 40, 0, 28, 16, 60, 12, 56, 44, 24, 52, 4, 48, 32,
  8, 24, 0, 32, 48, 40, 44, 12, 4, 16, 28, 60, 36, 52, 20, 56,
  48, 4, 56, 16, 20, 60, 52, 40, 32, 0, 24, 36, 44, 28, 12, 8,
  52, 28, 48, 12, 44, 56, 4, 36, 8, 20, 60, 32, 40, 0, 16, 24,
  24, 56, 44, 0, 60, 36, 12, 32, 40, 48, 52, 4, 20, 8, 28, 16,
  40, 32, 28, 4, 8, 16, 24, 20, 52, 60, 36, 12, 0, 44, 56, 48,
]);

@inline function rotr8(v: v128): v128 {
  return v128.swizzle(v, i8x16(1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12));
}
// Four message words by the schedule entries at `s`.
@inline function words(m: usize, s: usize): v128 {
  let v = v128.load32_zero(m + <usize>load<u8>(s));
  v = v128.load32_lane(m + <usize>load<u8>(s, 1), v, 1);
  v = v128.load32_lane(m + <usize>load<u8>(s, 2), v, 2);
  return v128.load32_lane(m + <usize>load<u8>(s, 3), v, 3);
}

function compress(m: usize, count: u32, last: i32): void {
  const h0 = v128.load(H), h1 = v128.load(H, 16);
  let a = h0, b = h1;
  let c = i32x4(0x6a09e667, <i32>0xbb67ae85, 0x3c6ef372, <i32>0xa54ff53a);
  let d = v128.xor(
    i32x4(0x510e527f, <i32>0x9b05688c, 0x1f83d9ab, 0x5be0cd19),
    i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(0), 0, count), 2, last),
  );
  for (let s = SIGMA; s < SIGMA + 160; s += 16) {
    a = i32x4.add(i32x4.add(a, words(m, s)), b); d = rotl16(v128.xor(d, a));
    c = i32x4.add(c, d); b = rotl(v128.xor(b, c), 20);
    a = i32x4.add(i32x4.add(a, words(m, s + 4)), b); d = rotr8(v128.xor(d, a));
    c = i32x4.add(c, d); b = rotl(v128.xor(b, c), 25);
    // b, which every step waits for, stays where it is; the other rows turn around it.
    a = v128.shuffle<i32>(a, a, 3, 0, 1, 2);
    c = v128.shuffle<i32>(c, c, 1, 2, 3, 0);
    d = v128.shuffle<i32>(d, d, 2, 3, 0, 1);
    a = i32x4.add(i32x4.add(a, words(m, s + 8)), b); d = rotl16(v128.xor(d, a));
    c = i32x4.add(c, d); b = rotl(v128.xor(b, c), 20);
    a = i32x4.add(i32x4.add(a, words(m, s + 12)), b); d = rotr8(v128.xor(d, a));
    c = i32x4.add(c, d); b = rotl(v128.xor(b, c), 25);
    a = v128.shuffle<i32>(a, a, 1, 2, 3, 0);
    c = v128.shuffle<i32>(c, c, 3, 0, 1, 2);
    d = v128.shuffle<i32>(d, d, 2, 3, 0, 1);
  }
  v128.store(H, v128.xor(h0, v128.xor(a, c)));
  v128.store(H, v128.xor(h1, v128.xor(b, d)), 16);
}

/** Starts a digest of `outLength` bytes; `keyLength` > 0 means that the first block is the padded key. */
export function blake2sInit(outLength: i32, keyLength: i32): void {
  const parameters = 0x01010000 | (keyLength << 8) | outLength;
  v128.store(H, i32x4(0x6a09e667, <i32>0xbb67ae85, 0x3c6ef372, <i32>0xa54ff53a));
  v128.store(H, i32x4(0x510e527f, <i32>0x9b05688c, 0x1f83d9ab, 0x5be0cd19), 16);
  store<i32>(H, load<i32>(H) ^ parameters);
}

/** Takes the whole message of `length` bytes at `from`, of at most 2^32 - 1 bytes, and finishes it. */
export function blake2sBlocks(from: usize, length: i32): void {
  let done = 0;
  while (length - done > 64) {
    compress(from + <usize>done, done + 64, 0);
    done += 64;
  }
  memory.fill(LAST, 0, 64);
  memory.copy(LAST, from + <usize>done, length - done);
  compress(LAST, length, -1);
  memory.fill(LAST, 0, 64);
}

/** Hands out the 32-byte state and wipes it. */
export function blake2sOut(out: usize): void {
  v128.store(out, v128.load(H));
  v128.store(out, v128.load(H, 16), 16);
  memory.fill(H, 0, 32);
}
