/** A slow Reed-Solomon over GF(2^8), written apart from the package: products bit by bit, the matrix from its definition. */

/** The product by shifting and adding, reduced by x^8 + x^4 + x^3 + x^2 + 1. */
export function product(a: number, b: number): number {
  let sum = 0;
  for (let bit = 7; bit >= 0; bit--) {
    sum = (sum << 1) ^ (sum & 0x80 ? 0x11d : 0);
    if ((b >> bit) & 1) sum ^= a;
  }
  return sum;
}

function reciprocal(a: number): number {
  for (let b = 1; b < 256; b++) if (product(a, b) === 1) return b;
  throw new Error(`${a} has no reciprocal`);
}

/** Rows of the coding matrix below the unit matrix. */
export function matrix(data: number, parity: number): number[][] {
  const cauchy = (i: number, j: number) => reciprocal((data + i) ^ j);
  return Array.from({ length: parity }, (_, i) =>
    Array.from({ length: data }, (_, j) => product(cauchy(i, j), reciprocal(cauchy(0, j)))),
  );
}

/** Parity shards of equally long data shards. */
export function encode(data: readonly Uint8Array[], parity: number): Uint8Array[] {
  return matrix(data.length, parity).map((row) =>
    Uint8Array.from(data[0] as Uint8Array, (_, at) =>
      row.reduce((sum, factor, j) => sum ^ product(factor, (data[j] as Uint8Array)[at] as number), 0),
    ),
  );
}
