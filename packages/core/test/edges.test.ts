import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { portableHex } from '../src/hex.ts';
import {
  AssertionError,
  assert,
  createTransmit,
  fromHex,
  HEADROOM,
  intInRange,
  MoliaError,
  ROOM,
  resolveOptions,
  toHex,
} from '../src/index.ts';
import { check } from './property.ts';

describe('hexadecimal text', () => {
  it('reads back what it writes, in either case', () => {
    check(
      fc.property(fc.uint8Array({ maxLength: 1100 }), (bytes) => {
        expect(toHex(bytes)).toBe(Buffer.from(bytes).toString('hex'));
        expect(portableHex(bytes)).toBe(toHex(bytes));
        expect(fromHex(toHex(bytes))).toEqual(bytes);
        expect(fromHex(toHex(bytes).toUpperCase())).toEqual(bytes);
      }),
    );
  });

  it('names the length or the character that is wrong', () => {
    expect(() => fromHex('abc')).toThrow(
      new RangeError('hexadecimal text needs an even number of characters, not 3'),
    );
    expect(() => fromHex('0g')).toThrow(new RangeError('character "g" at 1 is no hexadecimal digit'));
    for (const text of ['0x', ' 0', '-1', '@0', '/0', ':0', '`0', '\u01300']) {
      expect(() => fromHex(text)).toThrow(RangeError);
    }
  });
});

describe('MoliaError', () => {
  it('carries a code for machines, a hint for people and its cause', () => {
    const cause = new Error('EADDRINUSE');
    const error = new MoliaError('ADDRESS_IN_USE', 'port 4000 is taken', {
      cause,
      hint: 'pick another port',
    });
    expect(error).toBeInstanceOf(Error);
    expect([error.name, error.code, error.message, error.hint]).toEqual([
      'MoliaError',
      'ADDRESS_IN_USE',
      'port 4000 is taken',
      'pick another port',
    ]);
    expect(error.cause).toBe(cause);
    expect('cause' in new MoliaError('X', 'y')).toBe(false);
  });
});

describe('assert', () => {
  it('throws an AssertionError only when the condition is false', () => {
    expect(() => assert(1 + 1 === 2, 'arithmetic')).not.toThrow();
    expect(() => assert(0, 'zero')).toThrow(AssertionError);
    expect(() => assert(undefined, 'nothing there')).toThrow(/nothing there/);
  });
});

describe('resolveOptions', () => {
  interface Tuning {
    k: number;
    name: string;
    client: boolean;
    extra: string | undefined;
  }
  const defaults: Tuning = { k: 20, name: 'a', client: true, extra: undefined };

  it('fills gaps, also where undefined is given, and keeps falsy values', () => {
    expect(resolveOptions('table', defaults, undefined)).toEqual(defaults);
    expect(resolveOptions('table', defaults, { k: 0, name: '', client: false, extra: undefined })).toEqual({
      k: 0,
      name: '',
      client: false,
      extra: undefined,
    });
    expect(resolveOptions('table', defaults, { k: undefined, extra: 'x' })).toEqual({
      ...defaults,
      extra: 'x',
    });
  });

  it('leaves the caller and the defaults untouched and freezes the result', () => {
    const given = { k: 5 };
    const resolved = resolveOptions('table', defaults, given);
    expect(Object.isFrozen(resolved)).toBe(true);
    expect(Object.isFrozen(given)).toBe(false);
    expect([given, defaults.k, resolved.k]).toEqual([{ k: 5 }, 20, 5]);
  });

  it('refuses an unknown key and names the known ones', () => {
    const given = { K: 5 } as object;
    expect(() => resolveOptions('table', defaults, given)).toThrow(
      new TypeError('table has no option "K"; known options: k, name, client, extra'),
    );
    expect(() => resolveOptions('table', defaults, { toString: 1 } as object)).toThrow(TypeError);
    expect(() => resolveOptions('table', defaults, null as never)).toThrow(/must be an object, not null/);
    expect(() => resolveOptions('table', defaults, 'k' as never)).toThrow(/must be an object, not string/);
  });

  it('checks integers against their limits', () => {
    expect(resolveOptions('table', defaults, { k: 64 }, { k: [1, 64] }).k).toBe(64);
    expect(() => resolveOptions('table', defaults, { k: 65 }, { k: [1, 64] })).toThrow(
      new RangeError('table.k must be an integer from 1 to 64, not 65'),
    );
    for (const value of [0.5, Number.NaN, Infinity, '3', null]) {
      expect(() => intInRange('n', value, 0, 10)).toThrow(RangeError);
    }
    expect(intInRange('n', 0, 0, 10)).toBe(0);
  });
});

describe('createTransmit', () => {
  it('has the room in front and behind that the contract promises', () => {
    const transmit = createTransmit();
    expect(transmit.offset).toBe(HEADROOM);
    expect(transmit.bytes.length - transmit.offset).toBe(ROOM);
  });
});
