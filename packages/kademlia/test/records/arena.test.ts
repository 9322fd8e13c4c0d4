import { createSeededRng, randomBelow } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { Arena, BLOCK_BYTES_MAX } from '../../src/records/arena.ts';

const MIB = 2 ** 20;

describe('the arena', () => {
  it('holds the largest record and charges at most a quarter beyond the length, and 128 bytes at least', () => {
    expect(BLOCK_BYTES_MAX).toBe(69_904);
    for (let length = 1; length <= BLOCK_BYTES_MAX; length += 7) {
      const charged = Arena.blockBytes(length);
      expect(charged).toBeGreaterThanOrEqual(length);
      expect(charged).toBeLessThanOrEqual(Math.max(128, length * 1.25));
    }
    expect(Arena.blockBytes(BLOCK_BYTES_MAX + 1)).toBe(-1);
  });

  it('fills the gaps of full pages before it takes another', () => {
    const arena = new Arena(8 * MIB);
    const blocks = Array.from({ length: 16 }, () => arena.alloc(65_000));
    expect(arena.bytesHeld).toBe(MIB);
    arena.release(blocks[3] as number);
    expect(arena.alloc(65_000)).toBe(blocks[3]);
    expect(arena.bytesHeld).toBe(MIB);
    arena.alloc(65_000);
    expect(arena.bytesHeld).toBe(2 * MIB);
  });

  it('keeps what was written apart, gives memory back, and refuses beyond its pages', () => {
    const rng = createSeededRng(4);
    const arena = new Arena(4 * MIB);
    const held: { block: number; length: number; mark: number }[] = [];
    for (let step = 0; step < 20_000; step++) {
      const grows = Math.floor(step / 4000) % 2 === 0;
      if (randomBelow(rng, 10) < (grows ? 7 : 3) || held.length === 0) {
        const length = 1 + randomBelow(rng, randomBelow(rng, 4) === 0 ? BLOCK_BYTES_MAX : 500);
        const block = arena.alloc(length);
        if (block < 0) continue;
        const mark = randomBelow(rng, 256);
        const at = arena.offset(block);
        arena.bytes(block).fill(mark, at, at + length);
        held.push({ block, length, mark });
      } else {
        const [gone] = held.splice(randomBelow(rng, held.length), 1);
        const { block, length, mark } = gone as (typeof held)[0];
        const at = arena.offset(block);
        const bytes = arena.bytes(block);
        if (bytes[at] !== mark || bytes[at + length - 1] !== mark) throw new Error('overwritten');
        arena.release(block);
      }
      expect(arena.bytesHeld).toBeLessThanOrEqual((2 * 4 + 38) * MIB);
    }
    for (const { block } of held) arena.release(block);
    expect(arena.bytesHeld).toBe(4 * MIB);
  });
});
