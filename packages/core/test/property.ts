/** Property tests with a fixed seed: the same inputs on every machine; fast-check prints seed and path on failure. */
import fc from 'fast-check';

const SEED = 0x6d6f6c69;

export function check<T>(property: fc.IProperty<T>, numRuns = 200): void {
  fc.assert(property, { seed: SEED, numRuns });
}

/** Ids, with shared prefixes more often than chance would give. */
export const idArbitrary: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ minLength: 32, maxLength: 32 }),
  fc
    .tuple(fc.integer({ min: 0, max: 31 }), fc.integer({ min: 0, max: 255 }))
    .map(([index, byte]) => new Uint8Array(32).fill(0x5a).fill(byte, index, index + 1)),
);
