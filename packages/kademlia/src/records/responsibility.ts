/**
 * Where records belong: the expected-distance rule (docs/spec/routing.md).
 *
 * A record is written to every responder inside the expected distance of the 20th closest node, 20/N of the id
 * space, never merely to "the 20 closest": nodes that an attacker places nearest to a key do not push the honest
 * ones out. Distances are compared as fractions of the space, from their top 48 bits (exact enough below 2^40
 * nodes).
 */

/** Specification: expected holders of a record. */
export const HOLDERS = 20;

/**
 * Ours: a node keeps what lies within this multiple of its own expected distance, because writers and holders
 * estimate N apart (an estimate from 12 lookups is within 15 %, and churn moves it); beyond, NOT_RESPONSIBLE.
 */
export const KEEP_SLACK = 4;

/** XOR distance of two 32-byte ids as a fraction of the space, in [0, 1). */
export function distanceFraction(a: Uint8Array, aOffset: number, b: Uint8Array, bOffset: number): number {
  let fraction = 0;
  for (let i = 5; i >= 0; i--) {
    fraction = (fraction + ((a[aOffset + i] as number) ^ (b[bOffset + i] as number))) / 256;
  }
  return fraction;
}

/** The expected distance of the `holders`-th closest node among `nodes`, as a fraction of the space, at most 1. */
export function expectedFraction(nodes: number, holders: number = HOLDERS): number {
  return nodes > holders ? holders / nodes : 1;
}

/** Whether `id` lies within `slack` times the expected distance of `key` in a network of `nodes`. */
export function isWithinExpected(
  key: Uint8Array,
  keyOffset: number,
  id: Uint8Array,
  idOffset: number,
  nodes: number,
  slack: number = 1,
): boolean {
  return distanceFraction(key, keyOffset, id, idOffset) < expectedFraction(nodes) * slack;
}
