// The BLAKE3 compression function (BLAKE3 paper, section 2.2) in two shapes: one block with a row of the state to
// a vector, and four blocks side by side with one state word of each block to a vector.

export const CHUNK_START: i32 = 1;
export const CHUNK_END: i32 = 2;
export const PARENT: i32 = 4;
export const ROOT: i32 = 8;

/** Chaining values of four blocks, transposed: word w of all four at 16 * w. */
export const LANES: usize = memory.data(128, 16);
/** Message words of four blocks, transposed likewise. */
const WORDS: usize = memory.data(256, 16);

/** The message schedule of seven rounds as offsets into WORDS, in the order of the eight quarter rounds. */
const SIGMA_FOUR: usize = memory.data<u8>([
  0, 16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240,
  32, 96, 48, 160, 112, 0, 64, 208, 16, 176, 192, 80, 144, 224, 240, 128,
  48, 64, 160, 192, 208, 32, 112, 224, 96, 80, 144, 0, 176, 240, 128, 16,
  160, 112, 192, 144, 224, 48, 208, 240, 64, 0, 176, 32, 80, 128, 16, 96,
  192, 208, 144, 176, 240, 160, 224, 128, 112, 32, 80, 48, 0, 16, 96, 64,
  144, 224, 176, 80, 128, 192, 240, 16, 208, 48, 0, 160, 32, 96, 64, 112,
  176, 240, 80, 0, 16, 144, 128, 96, 224, 160, 32, 192, 48, 64, 112, 208,
]);

@inline function rotr16(v: v128): v128 {
  return v128.swizzle(v, i8x16(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
}
@inline function rotr8(v: v128): v128 {
  return v128.swizzle(v, i8x16(1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12));
}
@inline function rotr(v: v128, n: i32): v128 {
  return v128.or(i32x4.shr_u(v, n), i32x4.shl(v, 32 - n));
}
/** Compresses the 64 bytes at `m`, `length` of them counting, into the chaining value at `cv` (32 bytes, in place). */
export function compress(cv: usize, m: usize, length: i32, counter: u64, flags: i32): void {
  let a = v128.load(cv), b = v128.load(cv, 16);
  let c = i32x4(0x6a09e667, <i32>0xbb67ae85, 0x3c6ef372, <i32>0xa54ff53a);
  let d = i64x2.replace_lane(i64x2.splat(<i64>counter), 1, (<i64>flags << 32) | <i64>length);
  // Scheduled words s0..s15: even and odd ones of the columns, then of the diagonals, these turned by one lane,
  // because b, which every step waits for, stays where it is and the other rows turn around it.
  const m0 = v128.load(m), m1 = v128.load(m, 16), m2 = v128.load(m, 32), m3 = v128.load(m, 48);
  let even = v128.shuffle<i32>(m0, m1, 0, 2, 4, 6); // s0 s2 s4 s6
  let odd = v128.shuffle<i32>(m0, m1, 1, 3, 5, 7); // s1 s3 s5 s7
  let even2 = v128.shuffle<i32>(m2, m3, 6, 0, 2, 4); // s14 s8 s10 s12
  let odd2 = v128.shuffle<i32>(m2, m3, 7, 1, 3, 5); // s15 s9 s11 s13
  for (let round = 0; ; round++) {
    a = i32x4.add(i32x4.add(a, even), b); d = rotr16(v128.xor(d, a));
    c = i32x4.add(c, d); b = rotr(v128.xor(b, c), 12);
    a = i32x4.add(i32x4.add(a, odd), b); d = rotr8(v128.xor(d, a));
    c = i32x4.add(c, d); b = rotr(v128.xor(b, c), 7);
    a = v128.shuffle<i32>(a, a, 3, 0, 1, 2);
    c = v128.shuffle<i32>(c, c, 1, 2, 3, 0);
    d = v128.shuffle<i32>(d, d, 2, 3, 0, 1);
    a = i32x4.add(i32x4.add(a, even2), b); d = rotr16(v128.xor(d, a));
    c = i32x4.add(c, d); b = rotr(v128.xor(b, c), 12);
    a = i32x4.add(i32x4.add(a, odd2), b); d = rotr8(v128.xor(d, a));
    c = i32x4.add(c, d); b = rotr(v128.xor(b, c), 7);
    a = v128.shuffle<i32>(a, a, 1, 2, 3, 0);
    c = v128.shuffle<i32>(c, c, 3, 0, 1, 2);
    d = v128.shuffle<i32>(d, d, 2, 3, 0, 1);
    if (round == 6) break;
    // The permutation 2 6 3 10 7 0 4 13 1 11 12 5 9 14 15 8.
    const s6s10s0 = v128.shuffle<i32>(even, even2, 3, 6, 0, 0);
    const s1s12 = v128.shuffle<i32>(odd, even2, 0, 0, 7, 7);
    const s11s5 = v128.shuffle<i32>(odd2, odd, 2, 2, 6, 6);
    even = v128.shuffle<i32>(even, odd, 1, 5, 7, 2);
    odd = v128.shuffle<i32>(s6s10s0, odd2, 0, 1, 2, 7);
    const next = v128.shuffle<i32>(s1s12, odd2, 4, 1, 2, 5);
    odd2 = v128.shuffle<i32>(s11s5, even2, 5, 1, 2, 4);
    even2 = next;
  }
  v128.store(cv, v128.xor(a, c));
  v128.store(cv, v128.xor(b, d), 16);
}

// Four rows of four words each become four columns, at `to` and the next three vectors.
@inline function transpose(to: usize, a: v128, b: v128, c: v128, d: v128, stride: usize): void {
  const ab0 = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const ab1 = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const cd0 = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  const cd1 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<i64>(ab0, cd0, 0, 2));
  v128.store(to + stride, v128.shuffle<i64>(ab0, cd0, 1, 3));
  v128.store(to + 2 * stride, v128.shuffle<i64>(ab1, cd1, 0, 2));
  v128.store(to + 3 * stride, v128.shuffle<i64>(ab1, cd1, 1, 3));
}

/** Sets all four chaining values of LANES to the one at `cv`. */
export function startLanes(cv: usize): void {
  for (let w: usize = 0; w < 8; w++) v128.store(LANES + 16 * w, v128.load32_splat(cv + 4 * w));
}

/** Writes the four chaining values of LANES to `out`, 32 bytes each. */
export function storeLanes(out: usize): void {
  transpose(out, v128.load(LANES), v128.load(LANES, 16), v128.load(LANES, 32), v128.load(LANES, 48), 32);
  transpose(out + 16, v128.load(LANES, 64), v128.load(LANES, 80), v128.load(LANES, 96), v128.load(LANES, 112), 32);
}

/**
 * Compresses four whole blocks, at `m` and every `stride` bytes, into LANES; `low` and `high` hold the counter
 * of each.
 */
export function compressFour(m: usize, stride: usize, low: v128, high: v128, flags: i32): void {
  for (let row: usize = 0; row < 64; row += 16) {
    const p = m + row;
    transpose(
      WORDS + 4 * row, v128.load(p), v128.load(p + stride), v128.load(p + 2 * stride), v128.load(p + 3 * stride), 16,
    );
  }
  let x0 = v128.load(LANES), x1 = v128.load(LANES, 16), x2 = v128.load(LANES, 32), x3 = v128.load(LANES, 48);
  let x4 = v128.load(LANES, 64), x5 = v128.load(LANES, 80), x6 = v128.load(LANES, 96), x7 = v128.load(LANES, 112);
  let x8 = i32x4.splat(0x6a09e667), x9 = i32x4.splat(<i32>0xbb67ae85);
  let x10 = i32x4.splat(0x3c6ef372), x11 = i32x4.splat(<i32>0xa54ff53a);
  let x12 = low, x13 = high, x14 = i32x4.splat(64), x15 = i32x4.splat(flags);

  for (let s = SIGMA_FOUR; s < SIGMA_FOUR + 112; s += 16) {
    x0 = i32x4.add(i32x4.add(x0, v128.load(WORDS + <usize>load<u8>(s))), x4); x12 = rotr16(v128.xor(x12, x0));
    x1 = i32x4.add(i32x4.add(x1, v128.load(WORDS + <usize>load<u8>(s, 2))), x5); x13 = rotr16(v128.xor(x13, x1));
    x2 = i32x4.add(i32x4.add(x2, v128.load(WORDS + <usize>load<u8>(s, 4))), x6); x14 = rotr16(v128.xor(x14, x2));
    x3 = i32x4.add(i32x4.add(x3, v128.load(WORDS + <usize>load<u8>(s, 6))), x7); x15 = rotr16(v128.xor(x15, x3));
    x8 = i32x4.add(x8, x12); x4 = rotr(v128.xor(x4, x8), 12);
    x9 = i32x4.add(x9, x13); x5 = rotr(v128.xor(x5, x9), 12);
    x10 = i32x4.add(x10, x14); x6 = rotr(v128.xor(x6, x10), 12);
    x11 = i32x4.add(x11, x15); x7 = rotr(v128.xor(x7, x11), 12);
    x0 = i32x4.add(i32x4.add(x0, v128.load(WORDS + <usize>load<u8>(s, 1))), x4); x12 = rotr8(v128.xor(x12, x0));
    x1 = i32x4.add(i32x4.add(x1, v128.load(WORDS + <usize>load<u8>(s, 3))), x5); x13 = rotr8(v128.xor(x13, x1));
    x2 = i32x4.add(i32x4.add(x2, v128.load(WORDS + <usize>load<u8>(s, 5))), x6); x14 = rotr8(v128.xor(x14, x2));
    x3 = i32x4.add(i32x4.add(x3, v128.load(WORDS + <usize>load<u8>(s, 7))), x7); x15 = rotr8(v128.xor(x15, x3));
    x8 = i32x4.add(x8, x12); x4 = rotr(v128.xor(x4, x8), 7);
    x9 = i32x4.add(x9, x13); x5 = rotr(v128.xor(x5, x9), 7);
    x10 = i32x4.add(x10, x14); x6 = rotr(v128.xor(x6, x10), 7);
    x11 = i32x4.add(x11, x15); x7 = rotr(v128.xor(x7, x11), 7);

    x0 = i32x4.add(i32x4.add(x0, v128.load(WORDS + <usize>load<u8>(s, 8))), x5); x15 = rotr16(v128.xor(x15, x0));
    x1 = i32x4.add(i32x4.add(x1, v128.load(WORDS + <usize>load<u8>(s, 10))), x6); x12 = rotr16(v128.xor(x12, x1));
    x2 = i32x4.add(i32x4.add(x2, v128.load(WORDS + <usize>load<u8>(s, 12))), x7); x13 = rotr16(v128.xor(x13, x2));
    x3 = i32x4.add(i32x4.add(x3, v128.load(WORDS + <usize>load<u8>(s, 14))), x4); x14 = rotr16(v128.xor(x14, x3));
    x10 = i32x4.add(x10, x15); x5 = rotr(v128.xor(x5, x10), 12);
    x11 = i32x4.add(x11, x12); x6 = rotr(v128.xor(x6, x11), 12);
    x8 = i32x4.add(x8, x13); x7 = rotr(v128.xor(x7, x8), 12);
    x9 = i32x4.add(x9, x14); x4 = rotr(v128.xor(x4, x9), 12);
    x0 = i32x4.add(i32x4.add(x0, v128.load(WORDS + <usize>load<u8>(s, 9))), x5); x15 = rotr8(v128.xor(x15, x0));
    x1 = i32x4.add(i32x4.add(x1, v128.load(WORDS + <usize>load<u8>(s, 11))), x6); x12 = rotr8(v128.xor(x12, x1));
    x2 = i32x4.add(i32x4.add(x2, v128.load(WORDS + <usize>load<u8>(s, 13))), x7); x13 = rotr8(v128.xor(x13, x2));
    x3 = i32x4.add(i32x4.add(x3, v128.load(WORDS + <usize>load<u8>(s, 15))), x4); x14 = rotr8(v128.xor(x14, x3));
    x10 = i32x4.add(x10, x15); x5 = rotr(v128.xor(x5, x10), 7);
    x11 = i32x4.add(x11, x12); x6 = rotr(v128.xor(x6, x11), 7);
    x8 = i32x4.add(x8, x13); x7 = rotr(v128.xor(x7, x8), 7);
    x9 = i32x4.add(x9, x14); x4 = rotr(v128.xor(x4, x9), 7);
  }
  v128.store(LANES, v128.xor(x0, x8));
  v128.store(LANES, v128.xor(x1, x9), 16);
  v128.store(LANES, v128.xor(x2, x10), 32);
  v128.store(LANES, v128.xor(x3, x11), 48);
  v128.store(LANES, v128.xor(x4, x12), 64);
  v128.store(LANES, v128.xor(x5, x13), 80);
  v128.store(LANES, v128.xor(x6, x14), 96);
  v128.store(LANES, v128.xor(x7, x15), 112);
}
