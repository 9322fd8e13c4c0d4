import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { TAKEN } from '@molia/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BODY_ROOM, codecs } from './support/codecs.ts';

const SEED = 20_260_101;
const RUNS = 400;

describe.each(codecs)('$name by offset', (codec) => {
  it('writes the very bytes that protobuf-es writes, and nothing beside them', () => {
    const bytes = new Uint8Array(BODY_ROOM);
    fc.assert(
      fc.property(codec.arbitrary, fc.integer({ min: 0, max: 99 }), (message, offset) => {
        bytes.fill(0xee);
        const length = codec.write(bytes, offset, message);
        expect(bytes.slice(offset, offset + length)).toEqual(toBinary(codec.schema, message));
        expect(bytes.subarray(0, offset).every((byte) => byte === 0xee)).toBe(true);
        expect(bytes.subarray(offset + length, offset + length + 64).every((byte) => byte === 0xee)).toBe(
          true,
        );
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });

  it('reads from protobuf-es bytes what protobuf-es reads', () => {
    fc.assert(
      fc.property(codec.arbitrary, fc.integer({ min: 0, max: 99 }), (message, offset) => {
        const encoded = toBinary(codec.schema, message);
        const bytes = new Uint8Array(offset + encoded.length + 9).fill(0xee);
        bytes.set(encoded, offset);
        expect(codec.read(bytes, offset, encoded.length)).toBe(TAKEN);
        expect(codec.seen(bytes)).toEqual(codec.expected(fromBinary(codec.schema, encoded)));
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });

  it('refuses every message that ends early, or reads it as the shorter message that it is', () => {
    fc.assert(
      fc.property(codec.arbitrary, fc.nat(), (message, cut) => {
        const encoded = toBinary(codec.schema, message);
        if (encoded.length === 0) return;
        const length = cut % encoded.length;
        if (codec.read(encoded, 0, length) < 0) return;
        expect(codec.seen(encoded)).toEqual(
          codec.expected(fromBinary(codec.schema, encoded.subarray(0, length))),
        );
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });
});
