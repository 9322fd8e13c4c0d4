/**
 * The field GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11d), whose generator is 2. Elements are bytes;
 * addition is exclusive or.
 */

const POLYNOMIAL = 0x11d;
const ORDER = 255;

/** Powers of 2, twice over, so that a sum of two logarithms needs no reduction. */
const EXP = /* @__PURE__ */ powers();
const LOG = /* @__PURE__ */ logarithms();

function powers(): Uint8Array {
  const table = new Uint8Array(2 * ORDER);
  let power = 1;
  for (let i = 0; i < ORDER; i++) {
    table[i] = power;
    table[i + ORDER] = power;
    power <<= 1;
    if (power > 255) power ^= POLYNOMIAL;
  }
  return table;
}

function logarithms(): Uint8Array {
  const table = new Uint8Array(256);
  for (let i = 0; i < ORDER; i++) table[EXP[i] as number] = i;
  return table;
}

/** The product of two elements. */
export function multiply(a: number, b: number): number {
  if (a === 0 || b === 0) return 0;
  return EXP[(LOG[a] as number) + (LOG[b] as number)] as number;
}

/** `a / b`; `b` is not 0. */
export function divide(a: number, b: number): number {
  if (a === 0) return 0;
  return EXP[(LOG[a] as number) + ORDER - (LOG[b] as number)] as number;
}
