import { createSeededRng, randomBelow } from '@molia/core';
import { expect, it } from 'vitest';
import { SlotHeap } from '../../src/records/slot-heap.ts';

it('a slot heap names the least of its slots, whatever was entered, moved and removed', () => {
  const rng = createSeededRng(1);
  const heap = new SlotHeap();
  heap.grow(64);
  const model = new Map<number, number>();
  for (let step = 0; step < 20_000; step++) {
    const slot = randomBelow(rng, 64);
    if (randomBelow(rng, 2) === 0) {
      heap.keys[slot] = randomBelow(rng, 1000);
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
});
