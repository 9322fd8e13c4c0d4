import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { createSeededRng, TAKEN } from '@molia/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ErrorView, PingView, readError, readPing, WireDrop } from '../src/index.ts';
import { type CodecCase, codecs } from './support/codecs.ts';
import { field, scramble } from './support/wire-forms.ts';

const SEED = 20_260_102;

/** Message fields by codec. */
const NESTED: { readonly [name: string]: readonly number[] } = {
  FIND_NODE_RESPONSE: [1],
  FIND_VALUE_RESPONSE: [1, 2, 3],
  STORE: [1],
  ANNOUNCE_PROVIDER: [1],
};

function codec(name: string): CodecCase {
  return codecs.find((entry) => entry.name === name) as CodecCase;
}

function read(name: string, ...parts: readonly (readonly number[])[]): number {
  const bytes = Uint8Array.from(parts.flat());
  return codec(name).read(bytes, 0, bytes.length);
}

const fill = (length: number, byte = 0x61) => new Uint8Array(length).fill(byte);
const KEY = fill(32);
const contact = (keyLength = 32, endpointLength = 6) => [
  ...field(1, fill(keyLength)),
  ...field(2, fill(endpointLength)),
];
const nested = (number: number, parts: readonly number[]) => field(number, Uint8Array.from(parts));
const immutable = (value = fill(5)) => [
  ...field(1, KEY),
  ...field(2, 1n),
  ...field(3, value),
  ...field(5, 60n),
];
const mutable = (...more: readonly (readonly number[])[]) =>
  [
    field(1, KEY),
    field(2, 2n),
    field(3, fill(5)),
    field(4, 7n),
    field(7, KEY),
    field(8, fill(64)),
    ...more,
  ].flat();
const provider = (...more: readonly (readonly number[])[]) =>
  [field(1, KEY), field(2, 3n), field(3, fill(1, 0)), field(7, KEY), field(8, fill(64)), ...more].flat();

describe.each(codecs)(
  '$name in another encoding',
  ({ name, schema, arbitrary, read: readBody, seen, expected }) => {
    it('reads shuffled, padded, overridden and unknown fields as protobuf-es does', () => {
      fc.assert(
        fc.property(arbitrary, fc.integer(), (message, seed) => {
          const bytes = scramble(toBinary(schema, message), NESTED[name] ?? [], createSeededRng(seed));
          expect(readBody(bytes, 0, bytes.length)).toBe(TAKEN);
          expect(seen(bytes)).toEqual(expected(fromBinary(schema, bytes)));
        }),
        { seed: SEED, numRuns: 300 },
      );
    });
  },
);

describe('a reader refuses what is not protobuf', () => {
  const cases: readonly [string, readonly number[], number][] = [
    ['a tag without a value', [0x0a], WireDrop.TRUNCATED],
    ['a length past the end', [0x0a, 5, 1, 2], WireDrop.TRUNCATED],
    ['a length of 2^32', [0x0a, 0x80, 0x80, 0x80, 0x80, 0x10], WireDrop.TRUNCATED],
    ['a length of 2^63', [0x0a, ...fill(9, 0x80), 1], WireDrop.TRUNCATED],
    ['field number 0', [0x00, 1], WireDrop.MALFORMED],
    ['wire type 6', [0x0e, 1], WireDrop.MALFORMED],
    ['wire type 7', [0x0f, 1], WireDrop.MALFORMED],
    ['a varint of eleven bytes', [0x10, ...fill(10, 0x80), 1], WireDrop.MALFORMED],
    ['a varint that never ends', [0x10, 0x80, 0x80], WireDrop.TRUNCATED],
    ['a group that ends without having begun', [0x0c], WireDrop.MALFORMED],
    ['a group that never ends', [0x23], WireDrop.TRUNCATED],
    ['a group that ends as another', [0x23, 0x2c], WireDrop.MALFORMED],
    [
      'groups nested five deep',
      [0x23, 0x23, 0x23, 0x23, 0x23, 0x24, 0x24, 0x24, 0x24, 0x24],
      WireDrop.MALFORMED,
    ],
    ['eight bytes cut to seven', [0x21, 1, 2, 3, 4, 5, 6, 7], WireDrop.TRUNCATED],
    ['four bytes cut to three', [0x25, 1, 2, 3], WireDrop.TRUNCATED],
  ];
  it.each(cases)('%s', (_, bytes, drop) => {
    expect(readPing(Uint8Array.from(bytes), 0, bytes.length, new PingView())).toBe(drop);
  });

  it('but takes groups nested four deep and varints of ten bytes', () => {
    const bytes = Uint8Array.from([
      0x23,
      0x23,
      0x23,
      0x23,
      0x24,
      0x24,
      0x24,
      0x24,
      0x10,
      ...fill(9, 0xff),
      1,
    ]);
    expect(readPing(bytes, 0, bytes.length, new PingView())).toBe(TAKEN);
  });
});

describe('a reader holds every message to its limits', () => {
  const cases: readonly [string, string, readonly number[], number][] = [
    ['a ping of 33 bytes', 'PING', field(1, fill(33)), WireDrop.TOO_LARGE],
    ['a pong of 33 bytes', 'PONG', field(1, fill(33)), WireDrop.TOO_LARGE],
    ['an observed endpoint of 7 bytes', 'PONG', field(2, fill(7)), WireDrop.LENGTH],
    ['no target', 'FIND_NODE', field(2, 5n), WireDrop.MISSING],
    ['a target of 31 bytes', 'FIND_NODE', field(1, fill(31)), WireDrop.LENGTH],
    ['21 contacts wanted', 'FIND_NODE', [...field(1, KEY), ...field(2, 21n)], WireDrop.TOO_MANY],
    ['21 contacts', 'FIND_NODE_RESPONSE', Array(21).fill(nested(1, contact())).flat(), WireDrop.TOO_MANY],
    ['a contact with a short key', 'FIND_NODE_RESPONSE', nested(1, contact(31)), WireDrop.LENGTH],
    [
      'a contact with an endpoint of 8 bytes',
      'FIND_NODE_RESPONSE',
      nested(1, contact(32, 8)),
      WireDrop.LENGTH,
    ],
    ['a contact without endpoint', 'FIND_NODE_RESPONSE', nested(1, field(1, KEY)), WireDrop.MISSING],
    [
      'a contact whose endpoint is under another tag',
      'FIND_NODE_RESPONSE',
      nested(1, [...field(1, KEY), ...field(3, fill(6))]),
      WireDrop.MISSING,
    ],
    [
      'a contact whose key is under another tag',
      'FIND_NODE_RESPONSE',
      nested(1, [...field(3, KEY), ...field(2, fill(6))]),
      WireDrop.MISSING,
    ],
    [
      'a contact with a key of 30 and an endpoint of 8',
      'FIND_NODE_RESPONSE',
      nested(1, contact(30, 8)),
      WireDrop.LENGTH,
    ],
    [
      'a contact with an endpoint of 4 and as many bytes as a sound one',
      'FIND_NODE_RESPONSE',
      nested(1, [...contact(32, 4), ...field(3, 1n)]),
      WireDrop.LENGTH,
    ],
    ['an empty contact', 'FIND_NODE_RESPONSE', nested(1, []), WireDrop.MISSING],
    ['no key', 'FIND_VALUE', field(2, 1n), WireDrop.MISSING],
    ['want 2', 'FIND_VALUE', [...field(1, KEY), ...field(2, 2n)], WireDrop.RANGE],
    ['want -1', 'FIND_VALUE', [...field(1, KEY), ...field(2, 2n ** 64n - 1n)], WireDrop.RANGE],
    ['a sequence of 2^53', 'FIND_VALUE', [...field(1, KEY), ...field(3, 2n ** 53n)], WireDrop.RANGE],
    [
      'nine contacts beside a value',
      'FIND_VALUE_RESPONSE',
      [...nested(1, immutable()), ...Array(9).fill(nested(2, contact())).flat()],
      WireDrop.TOO_MANY,
    ],
    [
      'two records',
      'FIND_VALUE_RESPONSE',
      [...nested(1, immutable()), ...nested(1, immutable())],
      WireDrop.DUPLICATE,
    ],
    ['a provider with its key', 'FIND_VALUE_RESPONSE', nested(3, provider()), WireDrop.INCONSISTENT],
    ['a provider that is none', 'FIND_VALUE_RESPONSE', nested(3, field(2, 1n)), WireDrop.INCONSISTENT],
    ['a store of nothing', 'STORE', field(2, 1n), WireDrop.MISSING],
    [
      'two records to store',
      'STORE',
      [...nested(1, immutable()), ...nested(1, immutable())],
      WireDrop.DUPLICATE,
    ],
    ['a provider to store', 'STORE', nested(1, provider()), WireDrop.INCONSISTENT],
    [
      'a stamp salt of 33 bytes',
      'STORE',
      [...nested(1, immutable()), ...field(4, fill(33))],
      WireDrop.TOO_LARGE,
    ],
    ['an expected 2^53', 'STORE', [...nested(1, immutable()), ...field(3, 2n ** 53n)], WireDrop.RANGE],
    ['an announced value', 'ANNOUNCE_PROVIDER', nested(1, immutable()), WireDrop.INCONSISTENT],
    ['no status', 'STORE_RESPONSE', field(2, 1n), WireDrop.MISSING],
    ['status 8', 'STORE_RESPONSE', field(1, 8n), WireDrop.RANGE],
    ['no hash', 'FETCH_CHUNK', field(3, 5n), WireDrop.MISSING],
    ['a chunk of 0 bytes', 'FETCH_CHUNK', field(1, KEY), WireDrop.RANGE],
    ['a chunk of 1121 bytes', 'FETCH_CHUNK', [...field(1, KEY), ...field(3, 1121n)], WireDrop.TOO_LARGE],
    [
      'a chunk past 64 KiB',
      'FETCH_CHUNK',
      [...field(1, KEY), ...field(2, 65536n), ...field(3, 1n)],
      WireDrop.RANGE,
    ],
    [
      '1121 bytes of data',
      'FETCH_CHUNK_RESPONSE',
      [...field(2, fill(1121)), ...field(3, 2000n)],
      WireDrop.TOO_LARGE,
    ],
    ['data past the total', 'FETCH_CHUNK_RESPONSE', [...field(2, fill(9)), ...field(3, 8n)], WireDrop.RANGE],
    ['a total over 64 KiB', 'FETCH_CHUNK_RESPONSE', field(3, 65537n), WireDrop.TOO_LARGE],
    ['a reason of 129 bytes', 'ERROR', field(3, fill(129)), WireDrop.TOO_LARGE],
  ];
  it.each(cases)('%s', (_, name, bytes, drop) => {
    expect(read(name, bytes)).toBe(drop);
  });
});

describe('a record holds together', () => {
  const cases: readonly [string, readonly number[], number][] = [
    ['no key', mutable().slice(34), WireDrop.MISSING],
    ['a key of 31 bytes', field(1, fill(31)), WireDrop.LENGTH],
    ['no type', field(1, KEY), WireDrop.RANGE],
    ['type 4', [...field(1, KEY), ...field(2, 4n)], WireDrop.RANGE],
    ['a value of 64 KiB and 1 byte', immutable(fill(65_537)), WireDrop.TOO_LARGE],
    ['value and hash', [...immutable(), ...field(10, KEY), ...field(11, 5n)], WireDrop.INCONSISTENT],
    ['a hash without a length', [...immutable(fill(0)), ...field(10, KEY)], WireDrop.INCONSISTENT],
    ['a length without a hash', [...immutable(), ...field(11, 5n)], WireDrop.INCONSISTENT],
    ['a declared length over 64 KiB', [...immutable(fill(0)), ...field(11, 65_537n)], WireDrop.TOO_LARGE],
    ['an immutable record with an owner', [...immutable(), ...field(7, KEY)], WireDrop.INCONSISTENT],
    ['an immutable record with a sequence', [...immutable(), ...field(4, 1n)], WireDrop.INCONSISTENT],
    ['an immutable record with a namespace', [...immutable(), ...field(12, KEY)], WireDrop.INCONSISTENT],
    ['an immutable record with flags', [...immutable(), ...field(9, 2n)], WireDrop.INCONSISTENT],
    ['an immutable record for later', [...immutable(), ...field(6, 2n)], WireDrop.INCONSISTENT],
    [
      'a mutable record without owner',
      [...field(1, KEY), ...field(2, 2n), ...field(8, fill(64))],
      WireDrop.MISSING,
    ],
    [
      'a mutable record without signature',
      [...field(1, KEY), ...field(2, 2n), ...field(7, KEY)],
      WireDrop.MISSING,
    ],
    ['a signature of 63 bytes', mutable(field(8, fill(63))), WireDrop.LENGTH],
    ['a sequence of 2^53', mutable(field(4, 2n ** 53n)), WireDrop.RANGE],
    ['an instant of 2^53', mutable(field(6, 2n ** 53n)), WireDrop.RANGE],
    ['flags over 16 bits', mutable(field(9, 65_536n)), WireDrop.RANGE],
    ['a namespace of 256 bytes', mutable(field(12, fill(256))), WireDrop.TOO_LARGE],
    ['a salt of 65 bytes', mutable(field(13, fill(65))), WireDrop.TOO_LARGE],
    ['a tombstone with a value', mutable(field(9, 1n)), WireDrop.INCONSISTENT],
    ['a provider with a namespace', provider(field(12, fill(3))), WireDrop.INCONSISTENT],
    ['a provider with a tombstone', provider(field(9, 1n)), WireDrop.INCONSISTENT],
    [
      'a provider with its value elsewhere',
      provider(field(3, fill(0)), field(10, KEY), field(11, 9n)),
      WireDrop.INCONSISTENT,
    ],
    ['a provider of 282 bytes', provider(field(3, fill(282))), WireDrop.TOO_LARGE],
    ['66 KiB of unknown fields', [...immutable(), ...field(99, fill(66_100))], WireDrop.TOO_LARGE],
  ];
  it.each(cases)('refuses %s', (_, bytes, drop) => {
    expect(read('Record', bytes)).toBe(drop);
  });

  it('takes a mutable record with the longest preimage and the largest numbers', () => {
    const record = mutable(
      field(4, 2n ** 53n - 1n),
      field(6, 2n ** 53n - 1n),
      field(12, fill(255)),
      field(13, fill(64)),
    );
    expect(read('Record', record)).toBe(TAKEN);
  });
});

describe('text in an error', () => {
  const wellFormed = ['', 'busy', 'é', '€', '😀', '\u0000', '\ud7ff\ue000\uffff'];
  it.each(wellFormed)('passes as UTF-8: %j', (text) => {
    expect(read('ERROR', field(3, new TextEncoder().encode(text)))).toBe(TAKEN);
  });

  it('agrees with the platform about every pair and many quadruples of bytes', () => {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    const rng = createSeededRng(8);
    const view = new ErrorView();
    const bytes = new Uint8Array(6);
    for (let round = 0; round < 140_000; round++) {
      const length = round < 65_536 ? 2 : 4;
      const draw = round < 65_536 ? round : rng.u32() | 0xc000_0000;
      bytes.set([0x1a, length]);
      for (let i = 0; i < length; i++) bytes[2 + i] = draw >>> (8 * (length - 1 - i));
      let valid = true;
      try {
        decoder.decode(bytes.subarray(2, 2 + length));
      } catch {
        valid = false;
      }
      const verdict = readError(bytes, 0, 2 + length, view);
      if (verdict !== (valid ? TAKEN : WireDrop.UTF8)) throw new Error(`disagrees on ${bytes.join(' ')}`);
    }
  });
});

it('starts every reading from nothing', () => {
  const name = 'FIND_NODE_RESPONSE';
  const one = nested(1, contact());
  expect(read(name, ...Array(20).fill(one))).toBe(TAKEN);
  expect(read(name, one)).toBe(TAKEN);
  expect(codec(name).seen(Uint8Array.from(one))['contacts']).toHaveLength(1);
  expect(
    read('STORE', nested(1, immutable()), field(2, 1n), field(3, 9n), field(4, fill(8)), field(5, 3n)),
  ).toBe(TAKEN);
  const bare = Uint8Array.from(nested(1, immutable()));
  expect(read('STORE', [...bare])).toBe(TAKEN);
  expect(codec('STORE').seen(bare)).toMatchObject({
    cas: false,
    sequenceExpected: 0n,
    stampSalt: '',
    stampNonce: 0n,
    ageSecs: 0,
    single: false,
  });
});
