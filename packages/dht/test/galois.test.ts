/** The addon's multiplication against the portable one: every way that this processor has. */
import { createSeededRng, randomBelow } from '@molia/core';
import { createReedSolomon } from '@molia/erasure';
import { type NativeGaloisName, nativeGalois } from '@molia/native-shard';
import { describe, expect, it } from 'vitest';

const NAMES: readonly NativeGaloisName[] = ['avx512-gfni', 'avx2-gfni', 'avx2'];
const here = NAMES.filter((name) => nativeGalois(name) !== undefined);

it('uses the widest way that there is', () => {
  expect(nativeGalois()?.name).toBe(here[0]);
});

describe.each(here)('%s', (name) => {
  const galois = nativeGalois(name);

  it('computes what the portable kernel does, whatever the code, range and length', () => {
    const rng = createSeededRng(0x6761);
    for (let round = 0; round < 120; round++) {
      const data = 1 + randomBelow(rng, 20);
      const parity = 1 + randomBelow(rng, 9);
      const bytes = 1 + randomBelow(rng, 700);
      const offset = randomBelow(rng, bytes);
      const length = randomBelow(rng, bytes - offset + 1);
      const fast = createReedSolomon({ data, parity, galois });
      const slow = createReedSolomon({ data, parity, kernel: 'scalar' });
      expect(fast.kernel).toBe('native');
      const shards = Array.from({ length: data + parity }, () => {
        // Unaligned, so that no load may count on more.
        const shard = new Uint8Array(bytes + 3).subarray(3);
        rng.fill(shard, 0, bytes);
        return shard;
      });
      const expected = shards.map((shard) => shard.slice());
      fast.encode(shards, offset, length);
      slow.encode(expected, offset, length);
      expect(shards.map(hex)).toEqual(expected.map(hex));

      const index = randomBelow(rng, data);
      const after = new Uint8Array(bytes);
      rng.fill(after, 0, bytes);
      fast.update(index, shards[index] as Uint8Array, after, shards.slice(data), offset, length);
      slow.update(index, expected[index] as Uint8Array, after, expected.slice(data), offset, length);
      expect(shards.map(hex)).toEqual(expected.map(hex));
    }
  });

  it('brings back what is lost, at the largest code too', () => {
    for (const [data, parity, bytes] of [
      [10, 4, 65_473],
      [200, 55, 130],
    ] as const) {
      const rng = createSeededRng(data);
      const rs = createReedSolomon({ data, parity, galois });
      const shards = Array.from({ length: data + parity }, () => {
        const shard = new Uint8Array(bytes);
        rng.fill(shard, 0, bytes);
        return shard;
      });
      rs.encode(shards, 0, bytes);
      const whole = shards.map((shard) => shard.slice());
      const lost = shards.map((_, i) => (i % 4 === 1 && i < 4 * parity ? 1 : 0) as number);
      const wanted = lost.map((one, i) => (lost.slice(0, i).filter(Boolean).length < parity ? one : 0));
      for (const [i, one] of wanted.entries()) if (one === 1) (shards[i] as Uint8Array).fill(0);
      const present = wanted.map((one) => 1 - one);
      expect(rs.reconstruct(shards, present, wanted, 0, bytes)).toBe(true);
      expect(shards.map(hex)).toEqual(whole.map(hex));
    }
  });

  it('refuses arrays that are too short', () => {
    const table = new Uint8Array(40);
    const run = (tables: Uint8Array, bytes: number) => () =>
      galois?.run(tables, 1, 1, [new Uint8Array(bytes)], [new Uint8Array(64)], 1, 63, false);
    expect(run(table, 64)).not.toThrow();
    expect(run(table, 63)).toThrow(RangeError);
    expect(run(table.subarray(1), 64)).toThrow(RangeError);
  });
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
