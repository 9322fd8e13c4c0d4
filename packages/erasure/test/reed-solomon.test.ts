import { createSeededRng, randomBelow } from '@molia/core';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { committedSource, compileKernel, generatedSource, kernels } from '../../../tools/build-wasm.mjs';
import { exceeding, measureAllocation } from '../../../tools/gate.ts';
import { type Coding, createReedSolomon, type KernelName, type ReedSolomon } from '../src/index.ts';
import { encode, matrix } from './support/reference.ts';
import vectors from './vectors/reed-solomon.json' with { type: 'json' };

const SEED = 0x6d6f6c69;

/** Kernels that run here: relaxed SIMD needs a newer Node, and is then the one that is picked. */
const runs = (kernel: KernelName): boolean => {
  try {
    createReedSolomon({ data: 1, parity: 1, kernel });
    return true;
  } catch {
    return false;
  }
};
const KERNELS = (['wasm-relaxed', 'wasm-simd', 'scalar'] as const).filter(runs);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function randomShards(seed: number, count: number, bytes: number): Uint8Array[] {
  const rng = createSeededRng(seed);
  return Array.from({ length: count }, () => {
    const shard = new Uint8Array(bytes);
    rng.fill(shard, 0, bytes);
    return shard;
  });
}

/** Random data shards with their parity. */
function codeword(rs: ReedSolomon, seed: number, bytes: number): Uint8Array[] {
  const shards = randomShards(seed, rs.shards, bytes);
  rs.encode(shards, 0, bytes);
  return shards;
}

/** Loses `lost`, asks for `wanted`, compares; what was lost and not asked for is not even given. */
function loseAndFind(
  rs: ReedSolomon,
  whole: readonly Uint8Array[],
  lost: readonly number[],
  wanted: readonly number[],
): void {
  const bytes = (whole[0] as Uint8Array).length;
  const shards = whole.map((shard, i) =>
    wanted.includes(i) ? new Uint8Array(bytes).fill(0xaa) : lost.includes(i) ? undefined : shard.slice(),
  );
  const present = whole.map((_, i) => (lost.includes(i) ? 0 : 1));
  const asked = whole.map((_, i) => (wanted.includes(i) ? 1 : 0));
  expect(rs.reconstruct(shards, present, asked, 0, bytes)).toBe(true);
  for (const [i, shard] of shards.entries()) {
    if (shard !== undefined && hex(shard) !== hex(whole[i] as Uint8Array)) {
      throw new Error(
        `shard ${i} differs: ${rs.data}:${rs.parity}, ${rs.kernel}, lost ${lost}, wanted ${wanted}`,
      );
    }
  }
}

function* subsets(of: number, sizeMax: number): Generator<number[]> {
  for (let mask = 0; mask < 2 ** of; mask++) {
    const members = Array.from({ length: of }, (_, i) => i).filter((i) => (mask >> i) & 1);
    if (members.length <= sizeMax) yield members;
  }
}

test('the WebAssembly here is that of the committed sources', async () => {
  for (const kernel of kernels.filter(({ name }) => name.startsWith('galois'))) {
    expect(generatedSource(kernel, await compileKernel(kernel))).toBe(committedSource(kernel));
  }
});

it('picks the fastest kernel that runs here', () => {
  expect(createReedSolomon({ data: 10, parity: 4 }).kernel).toBe(KERNELS[0]);
  expect(KERNELS).toContain('scalar');
});

describe.each(KERNELS)('%s', (kernel) => {
  const make = (coding: Coding): ReedSolomon => createReedSolomon({ ...coding, kernel });

  it('makes the shards of the committed vectors', () => {
    for (const { data, parity, matrix: rows, shards } of vectors.cases) {
      expect(matrix(data, parity)).toEqual(rows);
      const rs = make({ data, parity });
      const given = shards.map((text, i) =>
        i < data ? Uint8Array.from(Buffer.from(text, 'hex')) : new Uint8Array(text.length / 2),
      );
      rs.encode(given, 0, (given[0] as Uint8Array).length);
      expect(given.map(hex)).toEqual(shards);
    }
  });

  it('agrees with the slow reference for every code of up to 5 data and 6 parity shards', () => {
    for (let data = 1; data <= 5; data++) {
      for (let parity = 1; parity <= 6; parity++) {
        const rs = make({ data, parity });
        const whole = codeword(rs, SEED + data, 37);
        expect(whole.slice(data).map(hex)).toEqual(encode(whole.slice(0, data), parity).map(hex));
      }
    }
  });

  it('agrees with the slow reference for random large codes and lengths', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 254 }),
        fc.integer({ min: 1, max: 254 }),
        fc.integer({ min: 0, max: 40 }),
        (data, wish, bytes) => {
          const parity = Math.min(wish, 255 - data);
          const whole = codeword(make({ data, parity }), data * 255 + parity, bytes);
          expect(whole.slice(data).map(hex)).toEqual(encode(whole.slice(0, data), parity).map(hex));
        },
      ),
      { seed: SEED, numRuns: 12 },
    );
  });

  it.each([
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 2],
    [6, 3],
    [3, 5],
  ])('finds every combination of up to parity lost shards again in %i:%i', (data, parity) => {
    const rs = make({ data, parity });
    const whole = codeword(rs, SEED, 70);
    for (const lost of subsets(rs.shards, parity)) {
      loseAndFind(rs, whole, lost, lost);
      for (const one of lost) loseAndFind(rs, whole, lost, [one]);
    }
  });

  it('finds all 1001 combinations of four lost shards again in 10:4', () => {
    const rs = make({ data: 10, parity: 4 });
    const whole = codeword(rs, SEED, 33);
    let combinations = 0;
    for (const lost of subsets(14, 4)) {
      if (lost.length < 4) continue;
      loseAndFind(rs, whole, lost, lost);
      combinations++;
    }
    expect(combinations).toBe(1001);
  });

  it('finds random losses again in random codes, all of them or some', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 120 }),
        fc.integer({ min: 1, max: 120 }),
        fc.nat(),
        fc.integer({ min: 1, max: 300 }),
        (data, parity, seed, bytes) => {
          const rs = make({ data, parity });
          const rng = createSeededRng(seed);
          const order = Array.from({ length: rs.shards }, (_, i) => i);
          order.sort(() => randomBelow(rng, 3) - 1);
          const lost = order.slice(0, randomBelow(rng, parity + 1));
          const whole = codeword(rs, seed, bytes);
          loseAndFind(rs, whole, lost, lost);
          loseAndFind(
            rs,
            whole,
            lost,
            lost.filter(() => randomBelow(rng, 2) === 0),
          );
        },
      ),
      { seed: SEED, numRuns: 30 },
    );
  });

  it('brings parity up to date as if all had been encoded again', () => {
    for (const [data, parity] of [
      [10, 4],
      [6, 3],
      [10, 10],
      [1, 5],
      [40, 1],
    ] as const) {
      const rs = make({ data, parity });
      const whole = codeword(rs, SEED, 1000);
      for (const index of [0, data - 1, data >> 1, 0]) {
        const before = whole[index] as Uint8Array;
        const after = before.map((byte, at) => byte ^ (at * 7 + index));
        rs.update(index, before, after, whole.slice(data), 100, 777);
        whole[index] = before.map((byte, at) => (at >= 100 && at < 877 ? (after[at] as number) : byte));
        const full = whole.map((shard) => shard.slice());
        rs.encode(full, 0, 1000);
        expect(whole.map(hex)).toEqual(full.map(hex));
      }
    }
  });

  it('works on any range of arrays anywhere, and touches nothing beside it', () => {
    const rs = createReedSolomon({ data: 10, parity: 4, arenaBytes: 14 * 70_000 + 14 * 128, kernel });
    const plain = randomShards(SEED, 14, 70_000);
    for (const [offset, length] of [
      [0, 70_000],
      [1, 69_998],
      [64, 31],
      [65_536, 4_464],
      [100, 65_536],
      [7, 0],
      [0, 65_536],
    ] as const) {
      const expected = plain.map((shard) => shard.slice());
      expected.slice(10).forEach((shard) => {
        shard.fill(0, offset, offset + length);
      });
      for (const factors of matrix(10, 4).entries()) {
        const [row, columns] = factors;
        const reference = createReedSolomon({ data: 1, parity: 1, kernel: 'scalar' });
        expect(reference.kernel).toBe('scalar');
        const target = expected[10 + row] as Uint8Array;
        for (const [j, factor] of columns.entries())
          addProduct(target, plain[j] as Uint8Array, factor, offset, length);
      }
      const foreign = plain.map((shard) => shard.slice());
      rs.encode(foreign, offset, length);
      expect(foreign.every((shard, i) => Buffer.compare(shard, expected[i] as Uint8Array) === 0)).toBe(true);
    }
    const resident = plain.map((shard) => {
      const own = rs.allocate(70_000);
      own.set(shard);
      return own;
    });
    const mixed = plain.map((shard, i) =>
      i % 3 === 0 ? (resident[i] as Uint8Array).slice() : shard.slice(),
    );
    for (const [offset, length] of [
      [0, 70_000],
      [3, 69_990],
    ] as const) {
      rs.encode(resident, offset, length);
      rs.encode(mixed, offset, length);
      expect(resident.every((shard, i) => Buffer.compare(shard, mixed[i] as Uint8Array) === 0)).toBe(true);
    }
  });

  it('says no, and writes nothing, with fewer shards than data', () => {
    const rs = make({ data: 4, parity: 2 });
    const whole = codeword(rs, SEED, 64);
    const target = new Uint8Array(64).fill(1);
    const given = [target, undefined, undefined, ...whole.slice(3)];
    expect(rs.reconstruct(given, [0, 0, 0, 1, 1, 1], [1, 0, 0, 0, 0, 0], 0, 64)).toBe(false);
    expect(target.every((byte) => byte === 1)).toBe(true);
    // The pattern of a call that failed is not taken for one that is set up.
    given[1] = whole[1];
    expect(rs.reconstruct(given, [0, 1, 0, 1, 1, 1], [1, 0, 0, 0, 0, 0], 0, 64)).toBe(true);
    expect(hex(target)).toBe(hex(whole[0] as Uint8Array));
  });
});

/** Adds `factor` times a range of `source`, by the kernel-free products of the reference. */
function addProduct(
  target: Uint8Array,
  source: Uint8Array,
  factor: number,
  offset: number,
  length: number,
): void {
  const products = encodeBytes(factor);
  for (let at = offset; at < offset + length; at++) {
    target[at] = (target[at] as number) ^ (products[source[at] as number] as number);
  }
}
const tables = new Map<number, Uint8Array>();
function encodeBytes(factor: number): Uint8Array {
  let table = tables.get(factor);
  if (table === undefined) {
    table = Uint8Array.from({ length: 256 }, (_, byte) => {
      let sum = 0;
      for (let bit = 0, power = factor; bit < 8; bit++) {
        if ((byte >> bit) & 1) sum ^= power;
        power = (power << 1) ^ (power & 0x80 ? 0x11d : 0);
      }
      return sum;
    });
    tables.set(factor, table);
  }
  return table;
}

it('every kernel makes the same bytes', () => {
  for (const [data, parity] of [
    [10, 4],
    [6, 3],
    [10, 10],
    [17, 5],
    [3, 1],
    [2, 2],
    [200, 55],
  ] as const) {
    const texts = KERNELS.map((kernel) => {
      const rs = createReedSolomon({ data, parity, kernel });
      return codeword(rs, SEED, 3001).map(hex).join();
    });
    expect(new Set(texts).size).toBe(1);
  }
});

it('more parity shards leave the first ones as they are', () => {
  const [few, many] = [
    createReedSolomon({ data: 10, parity: 2 }),
    createReedSolomon({ data: 10, parity: 20 }),
  ];
  const whole = codeword(many, SEED, 100);
  const part = whole.slice(0, 12).map((shard) => shard.slice());
  few.encode(part, 0, 100);
  expect(part.map(hex)).toEqual(whole.slice(0, 12).map(hex));
});

describe('misuse', () => {
  const rs = createReedSolomon({ data: 3, parity: 2 });
  const shards = randomShards(1, 5, 10);
  const present = [1, 1, 1, 1, 1];
  const none = [0, 0, 0, 0, 0];
  it.each([
    [
      'no data',
      () => createReedSolomon({ data: 0, parity: 2 }),
      /^data must be an integer from 1 to 254, not 0/,
    ],
    ['no parity', () => createReedSolomon({ data: 2, parity: 0 }), /^parity must be/],
    [
      'too many shards',
      () => createReedSolomon({ data: 200, parity: 56 }),
      /^parity must be an integer from 1 to 55/,
    ],
    ['half a shard', () => createReedSolomon({ data: 2.5, parity: 2 }), /^data must be/],
    [
      'an unknown kernel',
      () => createReedSolomon({ data: 2, parity: 2, kernel: 'x' as KernelName }),
      /^kernel: /,
    ],
    ['no room', () => rs.allocate(1), /^arenaBytes: /],
    [
      'too much memory',
      () => createReedSolomon({ data: 2, parity: 2, arenaBytes: 2 ** 32 }),
      /^arenaBytes: |memory/i,
    ],
    ['too few shards', () => rs.encode(shards.slice(1), 0, 10), /^shards: 5 entries are expected, not 4/],
    [
      'a range that leaves the array',
      () => rs.encode(shards, 4, 7),
      /^shards\[0\]: \[4, 4\+7\) leaves an array of 10/,
    ],
    ['a negative offset', () => rs.encode(shards, -1, 7), /^offset must be/],
    ['a fraction of a byte', () => rs.encode(shards, 0, 1.5), /^length must be/],
    ['a short list', () => rs.reconstruct(shards, [1, 1], none, 0, 1), /^present: 5 entries/],
    [
      'present and wanted',
      () => rs.reconstruct(shards, present, [0, 1, 0, 0, 0], 0, 1),
      /^wanted\[1\]: that shard is present/,
    ],
    [
      'an index beyond',
      () => rs.update(3, shards[0] as Uint8Array, shards[1] as Uint8Array, shards.slice(3), 0, 1),
      /^index must be/,
    ],
  ])('%s', (_, call, message) => {
    expect(call).toThrow(RangeError);
    expect(call).toThrow(message);
  });
  it('a shard that is none', () => {
    expect(() => rs.reconstruct([undefined, ...shards.slice(1)], present, none, 0, 1)).not.toThrow();
    const call = () =>
      rs.reconstruct([undefined, ...shards.slice(1)], [0, 1, 1, 1, 1], [1, 0, 0, 0, 0], 0, 1);
    expect(call).toThrow(TypeError);
    expect(call).toThrow(/^shards\[0\]: a Uint8Array/);
  });
});

it('allocates nothing for a stripe', { timeout: 120_000 }, async () => {
  const results = await measureAllocation(new URL('./gates/reed-solomon.gate.ts', import.meta.url));
  expect(results.length).toBeGreaterThanOrEqual(6);
  expect(exceeding(results)).toEqual([]);
});
