import { NONE } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { MessagePool } from '../src/message-pool.ts';

const message = (seed: number, length = 1_000) => new Uint8Array(length).fill(seed);

describe('the pool of waiting messages', () => {
  it('keeps each message whole while it grows, and takes no more than its bytes', () => {
    const pool = new MessagePool(1_472 * 40);
    const blocks = Array.from({ length: 40 }, (_, i) => pool.add(message(i + 1), 0, 1_000, i));
    expect(pool.add(message(99), 0, 1_000, 0)).toBe(NONE);
    for (const [i, block] of blocks.entries()) {
      expect([pool.length(block), pool.flags(block)]).toEqual([1_000, i]);
      const at = pool.offset(block);
      expect(pool.bytes.slice(at, at + 1_000)).toEqual(message(i + 1));
    }
  });

  it('wipes what is freed, gives the room of a burst back, and serves the next one', () => {
    const pool = new MessagePool(2 ** 20);
    for (let round = 0; round < 3; round++) {
      const blocks = Array.from({ length: 30 }, (_, i) => pool.add(message(i + 1), 0, 1_000, 0));
      const { bytes } = pool;
      expect(bytes.length).toBeGreaterThan(30_000);
      for (const block of blocks) pool.free(block);
      expect(pool.count).toBe(0);
      expect(bytes.every((byte) => byte === 0)).toBe(true);
      expect(pool.bytes.length).toBe(0);
    }
  });

  it('keeps a few blocks, so that one handshake after the other needs no memory', () => {
    const pool = new MessagePool(2 ** 20);
    pool.free(pool.add(message(1), 0, 1_000, 0));
    const { bytes } = pool;
    for (let i = 0; i < 10; i++) pool.free(pool.add(message(2), 0, 1_000, 0));
    expect(pool.bytes).toBe(bytes);
  });
});
