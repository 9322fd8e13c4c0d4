// ChaCha20 (RFC 8439 section 2.3), four blocks side by side: lane i of state word w belongs to block
// counter + i. HChaCha20 (draft-irtf-cfrg-xchacha-03 section 2.2) works on one block, a row to a vector.
import { KEY, NONCE } from './memory';

@inline export function rotl16(v: v128): v128 {
  return v128.swizzle(v, i8x16(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
}
@inline export function rotl8(v: v128): v128 {
  return v128.swizzle(v, i8x16(3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14));
}
@inline export function rotl(v: v128, n: i32): v128 {
  return v128.or(i32x4.shl(v, n), i32x4.shr_u(v, 32 - n));
}
@inline function xorAt(dst: usize, at: usize, v: v128): void {
  v128.store(dst + at, v128.xor(v128.load(dst + at), v));
}

// Rows a, b, c, d hold one state word each for four blocks: turns them into 16 consecutive bytes of each block.
@inline function xorRows(dst: usize, a: v128, b: v128, c: v128, d: v128): void {
  const ab0 = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const ab1 = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const cd0 = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  const cd1 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  xorAt(dst, 0, v128.shuffle<i64>(ab0, cd0, 0, 2));
  xorAt(dst, 64, v128.shuffle<i64>(ab0, cd0, 1, 3));
  xorAt(dst, 128, v128.shuffle<i64>(ab1, cd1, 0, 2));
  xorAt(dst, 192, v128.shuffle<i64>(ab1, cd1, 1, 3));
}

/** XORs 256 bytes at `dst` with blocks counter .. counter + 3. */
export function xorFour(dst: usize, counter: u32): void {
  let x0 = i32x4.splat(0x61707865), x1 = i32x4.splat(0x3320646e);
  let x2 = i32x4.splat(0x79622d32), x3 = i32x4.splat(0x6b206574);
  let x4 = v128.load32_splat(KEY, 0), x5 = v128.load32_splat(KEY, 4);
  let x6 = v128.load32_splat(KEY, 8), x7 = v128.load32_splat(KEY, 12);
  let x8 = v128.load32_splat(KEY, 16), x9 = v128.load32_splat(KEY, 20);
  let x10 = v128.load32_splat(KEY, 24), x11 = v128.load32_splat(KEY, 28);
  const counters = i32x4.add(i32x4.splat(counter), i32x4(0, 1, 2, 3));
  let x12 = counters;
  let x13 = v128.load32_splat(NONCE, 0), x14 = v128.load32_splat(NONCE, 4), x15 = v128.load32_splat(NONCE, 8);

  for (let i = 0; i < 10; i++) {
    x0 = i32x4.add(x0, x4); x12 = rotl16(v128.xor(x12, x0));
    x1 = i32x4.add(x1, x5); x13 = rotl16(v128.xor(x13, x1));
    x2 = i32x4.add(x2, x6); x14 = rotl16(v128.xor(x14, x2));
    x3 = i32x4.add(x3, x7); x15 = rotl16(v128.xor(x15, x3));
    x8 = i32x4.add(x8, x12); x4 = rotl(v128.xor(x4, x8), 12);
    x9 = i32x4.add(x9, x13); x5 = rotl(v128.xor(x5, x9), 12);
    x10 = i32x4.add(x10, x14); x6 = rotl(v128.xor(x6, x10), 12);
    x11 = i32x4.add(x11, x15); x7 = rotl(v128.xor(x7, x11), 12);
    x0 = i32x4.add(x0, x4); x12 = rotl8(v128.xor(x12, x0));
    x1 = i32x4.add(x1, x5); x13 = rotl8(v128.xor(x13, x1));
    x2 = i32x4.add(x2, x6); x14 = rotl8(v128.xor(x14, x2));
    x3 = i32x4.add(x3, x7); x15 = rotl8(v128.xor(x15, x3));
    x8 = i32x4.add(x8, x12); x4 = rotl(v128.xor(x4, x8), 7);
    x9 = i32x4.add(x9, x13); x5 = rotl(v128.xor(x5, x9), 7);
    x10 = i32x4.add(x10, x14); x6 = rotl(v128.xor(x6, x10), 7);
    x11 = i32x4.add(x11, x15); x7 = rotl(v128.xor(x7, x11), 7);

    x0 = i32x4.add(x0, x5); x15 = rotl16(v128.xor(x15, x0));
    x1 = i32x4.add(x1, x6); x12 = rotl16(v128.xor(x12, x1));
    x2 = i32x4.add(x2, x7); x13 = rotl16(v128.xor(x13, x2));
    x3 = i32x4.add(x3, x4); x14 = rotl16(v128.xor(x14, x3));
    x10 = i32x4.add(x10, x15); x5 = rotl(v128.xor(x5, x10), 12);
    x11 = i32x4.add(x11, x12); x6 = rotl(v128.xor(x6, x11), 12);
    x8 = i32x4.add(x8, x13); x7 = rotl(v128.xor(x7, x8), 12);
    x9 = i32x4.add(x9, x14); x4 = rotl(v128.xor(x4, x9), 12);
    x0 = i32x4.add(x0, x5); x15 = rotl8(v128.xor(x15, x0));
    x1 = i32x4.add(x1, x6); x12 = rotl8(v128.xor(x12, x1));
    x2 = i32x4.add(x2, x7); x13 = rotl8(v128.xor(x13, x2));
    x3 = i32x4.add(x3, x4); x14 = rotl8(v128.xor(x14, x3));
    x10 = i32x4.add(x10, x15); x5 = rotl(v128.xor(x5, x10), 7);
    x11 = i32x4.add(x11, x12); x6 = rotl(v128.xor(x6, x11), 7);
    x8 = i32x4.add(x8, x13); x7 = rotl(v128.xor(x7, x8), 7);
    x9 = i32x4.add(x9, x14); x4 = rotl(v128.xor(x4, x9), 7);
  }

  x0 = i32x4.add(x0, i32x4.splat(0x61707865)); x1 = i32x4.add(x1, i32x4.splat(0x3320646e));
  x2 = i32x4.add(x2, i32x4.splat(0x79622d32)); x3 = i32x4.add(x3, i32x4.splat(0x6b206574));
  xorRows(dst, x0, x1, x2, x3);
  x4 = i32x4.add(x4, v128.load32_splat(KEY, 0)); x5 = i32x4.add(x5, v128.load32_splat(KEY, 4));
  x6 = i32x4.add(x6, v128.load32_splat(KEY, 8)); x7 = i32x4.add(x7, v128.load32_splat(KEY, 12));
  xorRows(dst + 16, x4, x5, x6, x7);
  x8 = i32x4.add(x8, v128.load32_splat(KEY, 16)); x9 = i32x4.add(x9, v128.load32_splat(KEY, 20));
  x10 = i32x4.add(x10, v128.load32_splat(KEY, 24)); x11 = i32x4.add(x11, v128.load32_splat(KEY, 28));
  xorRows(dst + 32, x8, x9, x10, x11);
  x12 = i32x4.add(x12, counters); x13 = i32x4.add(x13, v128.load32_splat(NONCE, 0));
  x14 = i32x4.add(x14, v128.load32_splat(NONCE, 4)); x15 = i32x4.add(x15, v128.load32_splat(NONCE, 8));
  xorRows(dst + 48, x12, x13, x14, x15);
}

/** HChaCha20: replaces KEY by the subkey of KEY and NONCE[0, 16), NONCE by 4 zero bytes || NONCE[16, 24). */
export function deriveSubkey(): void {
  let a = i32x4(0x61707865, 0x3320646e, 0x79622d32, 0x6b206574);
  let b = v128.load(KEY), c = v128.load(KEY, 16), d = v128.load(NONCE);
  for (let i = 0; i < 20; i++) {
    a = i32x4.add(a, b); d = rotl16(v128.xor(d, a));
    c = i32x4.add(c, d); b = rotl(v128.xor(b, c), 12);
    a = i32x4.add(a, b); d = rotl8(v128.xor(d, a));
    c = i32x4.add(c, d); b = rotl(v128.xor(b, c), 7);
    // Even rounds work on columns and turn to diagonals; odd rounds turn back.
    if (i & 1) {
      b = v128.shuffle<i32>(b, b, 3, 0, 1, 2);
      c = v128.shuffle<i32>(c, c, 2, 3, 0, 1);
      d = v128.shuffle<i32>(d, d, 1, 2, 3, 0);
    } else {
      b = v128.shuffle<i32>(b, b, 1, 2, 3, 0);
      c = v128.shuffle<i32>(c, c, 2, 3, 0, 1);
      d = v128.shuffle<i32>(d, d, 3, 0, 1, 2);
    }
  }
  v128.store(KEY, a);
  v128.store(KEY, d, 16);
  const low = load<u32>(NONCE, 16), high = load<u32>(NONCE, 20);
  v128.store(NONCE, i32x4(0, 0, 0, 0));
  store<u32>(NONCE, low, 4);
  store<u32>(NONCE, high, 8);
  v128.store(NONCE, i32x4(0, 0, 0, 0), 16);
}
