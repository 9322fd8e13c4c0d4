// Poly1305 (RFC 8439 section 2.5) over whole 16-byte blocks: every part of an AEAD is padded to them.
// Radix 2^32 in 64-bit registers. Clamping leaves r below 2^28 in every word and its words 1..3 multiples of 4,
// so a product that passes 2^128 folds back as 5/4 times the word, and sums of five products fit 64 bits.
// INVARIANT: h0..h3 < 2^32, h4 <= 4 between blocks.

/** Tag of the `count` blocks at `from`, with the one-time key (32 bytes) at `key`; 16 bytes to `out`. */
export function tag(out: usize, key: usize, from: usize, count: i32): void {
  const r0: u64 = load<u32>(key) & 0x0fffffff;
  const r1: u64 = load<u32>(key, 4) & 0x0ffffffc;
  const r2: u64 = load<u32>(key, 8) & 0x0ffffffc;
  const r3: u64 = load<u32>(key, 12) & 0x0ffffffc;
  const f0: u64 = (r0 >> 2) * 5, f1: u64 = (r1 >> 2) * 5, f2: u64 = (r2 >> 2) * 5, f3: u64 = (r3 >> 2) * 5;
  const low: u64 = r0 & 3;
  let h0: u64 = 0, h1: u64 = 0, h2: u64 = 0, h3: u64 = 0, h4: u64 = 0;
  const end = from + (<usize>count << 4);
  for (let p = from; p < end; p += 16) {
    const s0 = h0 + <u64>load<u32>(p);
    const s1 = h1 + <u64>load<u32>(p, 4);
    const s2 = h2 + <u64>load<u32>(p, 8);
    const s3 = h3 + <u64>load<u32>(p, 12);
    const s4 = h4 + 1;
    const x3 = s0 * r3 + s1 * r2 + (s2 * r1 + s3 * r0) + s4 * f3;
    const x0 = s0 * r0 + s1 * f3 + (s2 * f2 + s3 * f1) + s4 * f0;
    const x1 = s0 * r1 + s1 * r0 + (s2 * f3 + s3 * f2) + s4 * f1;
    const x2 = s0 * r2 + s1 * r1 + (s2 * r0 + s3 * f3) + s4 * f2;
    const top = s4 * low + (x3 >> 32);
    const u0 = (top >> 2) * 5 + (x0 & 0xffffffff);
    const u1 = (u0 >> 32) + ((x1 & 0xffffffff) + (x0 >> 32));
    const u2 = (u1 >> 32) + ((x2 & 0xffffffff) + (x1 >> 32));
    const u3 = (u2 >> 32) + ((x3 & 0xffffffff) + (x2 >> 32));
    h0 = u0 & 0xffffffff;
    h1 = u1 & 0xffffffff;
    h2 = u2 & 0xffffffff;
    h3 = u3 & 0xffffffff;
    h4 = (u3 >> 32) + (top & 3);
  }
  // h >= 2^130 - 5 exactly when h + 5 carries into bit 130; each such carry adds 5 again.
  let c: u64 = (((((((5 + h0) >> 32) + h1) >> 32) + h2) >> 32) + h3) >> 32;
  c = ((c + h4) >> 2) * 5;
  c += h0 + <u64>load<u32>(key, 16); store<u32>(out, <u32>c); c >>= 32;
  c += h1 + <u64>load<u32>(key, 20); store<u32>(out, <u32>c, 4); c >>= 32;
  c += h2 + <u64>load<u32>(key, 24); store<u32>(out, <u32>c, 8); c >>= 32;
  c += h3 + <u64>load<u32>(key, 28); store<u32>(out, <u32>c, 12);
}
