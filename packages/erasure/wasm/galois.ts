// The WebAssembly side of `kernel-wasm.ts`: sums of products over GF(2^8), sixteen bytes at a time. A product with a
// constant is two look-ups in vectors of sixteen bytes (Plank, Greenan, Miller, "Screaming Fast Galois Field
// Arithmetic Using Intel SIMD Instructions", 2013, section 4). Up to four targets are made in one pass over the
// sources, so that a source is read and split into nibbles once for all of them.
// The memory belongs to the host, which lays it out: u32 addresses of the sources and of the targets, and for each
// source in turn the tables of its coefficients, one of each target. A table is 32 bytes: the products of the
// coefficient with 0 … 15, then with 0, 16 … 240.

// Both look-ups agree for indices below 16; the relaxed one saves x86 an instruction that clears for the others.
@inline function pick(table: v128, index: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i8x16.relaxed_swizzle(table, index);
  return v128.swizzle(table, index);
}
@inline function low(v: v128): v128 {
  return v128.and(v, i8x16.splat(15));
}
@inline function high(v: v128): v128 {
  return v128.and(i16x8.shr_u(v, 4), i8x16.splat(15));
}
@inline function start(add: i32, at: usize): v128 {
  return add ? v128.load(at) : i8x16.splat(0);
}
@inline function word(at: usize, index: i32): usize {
  return <usize>load<u32>(at + (<usize>index << 2));
}

/**
 * Targets of one pass: with `sum` the first is the plain sum of the sources and has no tables; `n` more are sums of
 * products. `add`: to what the targets hold, else in place of it. `sum` and `n` are constants: the compiler drops
 * what they exclude. `length` is a multiple of 32.
 */
@inline function pass(sum: bool, n: i32, sources: usize, count: i32, targets: usize, tables: usize, length: usize, add: i32): void {
  const base = sum ? 1 : 0;
  const t0 = sum ? word(targets, 0) : 0;
  const t1 = n > 0 ? word(targets, base) : 0;
  const t2 = n > 1 ? word(targets, base + 1) : 0;
  const t3 = n > 2 ? word(targets, base + 2) : 0;
  const t4 = n > 3 ? word(targets, base + 3) : 0;
  for (let at: usize = 0; at < length; at += 32) {
    let s = i8x16.splat(0), a = s, b = s, c = s, d = s, S = s, A = s, B = s, C = s, D = s;
    if (sum) { s = start(add, t0 + at); S = start(add, t0 + at + 16); }
    if (n > 0) { a = start(add, t1 + at); A = start(add, t1 + at + 16); }
    if (n > 1) { b = start(add, t2 + at); B = start(add, t2 + at + 16); }
    if (n > 2) { c = start(add, t3 + at); C = start(add, t3 + at + 16); }
    if (n > 3) { d = start(add, t4 + at); D = start(add, t4 + at + 16); }
    let t = tables;
    for (let i = 0; i < count; i++) {
      const source = word(sources, i) + at;
      const x = v128.load(source), y = v128.load(source, 16);
      if (sum) { s = v128.xor(s, x); S = v128.xor(S, y); }
      if (n > 0) {
        const lx = low(x), hx = high(x), ly = low(y), hy = high(y);
        let l = v128.load(t), h = v128.load(t, 16);
        a = v128.xor(a, v128.xor(pick(l, lx), pick(h, hx)));
        A = v128.xor(A, v128.xor(pick(l, ly), pick(h, hy)));
        if (n > 1) {
          l = v128.load(t, 32); h = v128.load(t, 48);
          b = v128.xor(b, v128.xor(pick(l, lx), pick(h, hx)));
          B = v128.xor(B, v128.xor(pick(l, ly), pick(h, hy)));
        }
        if (n > 2) {
          l = v128.load(t, 64); h = v128.load(t, 80);
          c = v128.xor(c, v128.xor(pick(l, lx), pick(h, hx)));
          C = v128.xor(C, v128.xor(pick(l, ly), pick(h, hy)));
        }
        if (n > 3) {
          l = v128.load(t, 96); h = v128.load(t, 112);
          d = v128.xor(d, v128.xor(pick(l, lx), pick(h, hx)));
          D = v128.xor(D, v128.xor(pick(l, ly), pick(h, hy)));
        }
        t += <usize>n << 5;
      }
    }
    if (sum) { v128.store(t0 + at, s); v128.store(t0 + at, S, 16); }
    if (n > 0) { v128.store(t1 + at, a); v128.store(t1 + at, A, 16); }
    if (n > 1) { v128.store(t2 + at, b); v128.store(t2 + at, B, 16); }
    if (n > 2) { v128.store(t3 + at, c); v128.store(t3 + at, C, 16); }
    if (n > 3) { v128.store(t4 + at, d); v128.store(t4 + at, D, 16); }
  }
}

export function sum0(sources: usize, count: i32, targets: usize, tables: usize, length: usize, add: i32): void {
  pass(true, 0, sources, count, targets, tables, length, add);
}
export function sum1(sources: usize, count: i32, targets: usize, tables: usize, length: usize, add: i32): void {
  pass(true, 1, sources, count, targets, tables, length, add);
}
export function sum2(sources: usize, count: i32, targets: usize, tables: usize, length: usize, add: i32): void {
  pass(true, 2, sources, count, targets, tables, length, add);
}
export function sum3(sources: usize, count: i32, targets: usize, tables: usize, length: usize, add: i32): void {
  pass(true, 3, sources, count, targets, tables, length, add);
}
export function rows1(sources: usize, count: i32, targets: usize, tables: usize, length: usize, add: i32): void {
  pass(false, 1, sources, count, targets, tables, length, add);
}
export function rows2(sources: usize, count: i32, targets: usize, tables: usize, length: usize, add: i32): void {
  pass(false, 2, sources, count, targets, tables, length, add);
}
export function rows3(sources: usize, count: i32, targets: usize, tables: usize, length: usize, add: i32): void {
  pass(false, 3, sources, count, targets, tables, length, add);
}
export function rows4(sources: usize, count: i32, targets: usize, tables: usize, length: usize, add: i32): void {
  pass(false, 4, sources, count, targets, tables, length, add);
}
