import { expect, it } from 'vitest';
import { createSeededRng, NO_F64, NO_U32, randomBelow, SlotHeap } from '../src/index.ts';

/** Numbers that only this width holds, at both ends. */
const kinds = [
  { of: 'u32', keys: NO_U32, base: 2 ** 32 - 1_000 },
  { of: 'f64', keys: NO_F64, base: -(2 ** 40) },
];

it.each(kinds)(
  'a slot heap of $of names the least of its slots, whatever was done to them',
  ({ keys, base }) => {
    const rng = createSeededRng(1);
    const heap = new SlotHeap(keys);
    heap.grow(64);
    const model = new Map<number, number>();
    for (let step = 0; step < 20_000; step++) {
      const slot = randomBelow(rng, 64);
      if (randomBelow(rng, 2) === 0) {
        heap.keys[slot] = base + randomBelow(rng, 1000);
        heap.settle(slot);
        model.set(slot, heap.keys[slot] as number);
      } else {
        heap.remove(slot);
        model.delete(slot);
      }
      const least = heap.peek();
      expect(heap.count).toBe(model.size);
      expect(least < 0 ? undefined : heap.key(least)).toBe(
        model.size === 0 ? undefined : Math.min(...model.values()),
      );
      expect(least < 0 || model.get(least) === heap.key(least)).toBe(true);
      if (step % 100 !== 0) continue;
      const drained: number[] = [];
      for (let first = heap.peek(); first >= 0; first = heap.peek()) {
        drained.push(heap.key(first));
        heap.remove(first);
      }
      expect(drained).toEqual([...model.values()].sort((a, b) => a - b));
      model.clear();
    }
  },
);

it('a slot heap grows while it holds slots, and knows those it never saw', () => {
  const heap = new SlotHeap(NO_U32);
  expect(heap.peek()).toBe(-1);
  for (let capacity = 1; capacity <= 256; capacity *= 2) {
    heap.grow(capacity);
    for (let slot = capacity >> 1; slot < capacity; slot++) {
      expect(heap.has(slot)).toBe(false);
      heap.keys[slot] = 1_000 - slot;
      heap.settle(slot);
    }
    expect(heap.peek()).toBe(capacity - 1);
    expect(heap.count).toBe(capacity);
  }
  heap.remove(255);
  heap.remove(255);
  heap.remove(300);
  expect([heap.peek(), heap.count, heap.key(255), heap.key(300)]).toEqual([254, 255, 0, 0]);
});
