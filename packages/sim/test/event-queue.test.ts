import { createSeededRng } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { EventQueue } from '../src/event-queue.ts';

const SECOND = 1_000_000;

function add(queue: EventQueue, at: number, tie: number, host: number, data: number): number {
  queue.next[0] = at;
  queue.next[1] = tie;
  return queue.add(1, host, data);
}

describe('the event queue', () => {
  it('hands events over in the order of instant and tie, however they were added, across every wheel', () => {
    const rng = createSeededRng(11);
    const queue = new EventQueue(16);
    const spans = [200, 5_000, 2 * SECOND, 3_000 * SECOND, 20_000 * SECOND];
    const expected: { at: number; tie: number; data: number }[] = [];
    const taken: typeof expected = [];
    let now = 0;
    let added = 0;
    const waiting = new Map<number, { at: number; tie: number; data: number }>();
    for (let round = 0; round < 4_000; round++) {
      for (let i = 0; i < 4; i++) {
        const span = spans[rng.u32() % spans.length] as number;
        const event = { at: now + (rng.u32() % span), tie: rng.u32() % 7, data: added++ };
        const id = add(queue, event.at, event.tie * 1e6 + event.data, 0, event.data);
        waiting.set(id, event);
      }
      if (rng.u32() % 3 === 0) {
        const [id] = [...waiting.keys()].slice(rng.u32() % waiting.size);
        queue.cancel(id as number);
        waiting.delete(id as number);
      }
      const limit = now + (rng.u32() % (round % 50 === 0 ? 9_000 * SECOND : 300_000));
      for (let id = queue.take(limit); id >= 0; id = queue.take(limit)) {
        const event = waiting.get(id);
        expect(event).toBeDefined();
        expect(queue.data[id]).toBe(event?.data);
        taken.push(event as { at: number; tie: number; data: number });
        waiting.delete(id);
      }
      // Nothing that is due was left behind.
      for (const event of waiting.values()) if (event.at <= limit) expect(event.at).toBeGreaterThan(limit);
      now = limit;
    }
    expected.push(...taken);
    expected.sort((a, b) => a.at - b.at || a.tie - b.tie || a.data - b.data);
    expect(taken.length).toBeGreaterThan(5_000);
    expect(queue.length).toBe(waiting.size);
    // Each batch was taken in order, and no batch reaches before an earlier one.
    expect(taken.map((event) => event.data)).toEqual(expected.map((event) => event.data));
  });

  it('reuses rows, so that a steady load never grows it', () => {
    const queue = new EventQueue(64);
    let now = 0;
    for (let i = 0; i < 60; i++) add(queue, i * 1000, i, i, 0);
    for (let i = 0; i < 100_000; i++) {
      const id = queue.take(Number.MAX_SAFE_INTEGER);
      now = queue.at[id] as number;
      add(queue, now + 1 + ((i * 7919) % 3_000_000), i + 60, 0, 0);
    }
    expect(queue.capacity).toBe(64);
    expect(queue.length).toBe(60);
  });
});
