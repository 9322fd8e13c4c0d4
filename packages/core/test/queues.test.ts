import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteRing, createTransmit, FixedQueue, HEADROOM, NONE, toHex } from '../src/index.ts';
import { check } from './property.ts';

describe('FixedQueue', () => {
  it('is first in, first out, and says when it is full or empty', () => {
    const queue = new FixedQueue(2);
    expect(queue.pop()).toBe(NONE);
    expect(queue.peek()).toBe(NONE);
    expect(queue.push(5)).toBe(true);
    expect(queue.push(-6)).toBe(true);
    expect(queue.push(7)).toBe(false);
    expect(queue.peek()).toBe(5);
    expect(queue.length).toBe(2);
    expect([queue.pop(), queue.pop(), queue.length]).toEqual([5, -6, 0]);
  });

  it('agrees with an array under any sequence of push and pop', () => {
    check(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.integer({ min: -9, max: 9 })),
        (capacity, steps) => {
          const queue = new FixedQueue(capacity);
          const model: number[] = [];
          for (const step of steps) {
            if (step >= -3) {
              expect(queue.push(step)).toBe(model.length < capacity);
              if (model.length < capacity) model.push(step);
            } else {
              expect(queue.pop()).toBe(model.shift() ?? NONE);
            }
            expect(queue.length).toBe(model.length);
          }
        },
      ),
    );
  });

  it('forgets everything on clear, and refuses a capacity that is none', () => {
    const queue = new FixedQueue(3);
    queue.push(1);
    queue.clear();
    expect(queue.length).toBe(0);
    expect(queue.pop()).toBe(NONE);
    expect(() => new FixedQueue(0)).toThrow(/capacity must be a positive integer, not 0/);
  });
});

describe('ByteRing', () => {
  it('keeps datagrams whole, in order, with their addressee and flags', () => {
    const ring = new ByteRing(64);
    const out = createTransmit();
    expect(ring.push(3, 1, Uint8Array.of(9, 8, 7, 6), 1, 2)).toBe(true);
    expect(ring.byteLength).toBe(2);
    expect(ring.pop(out)).toBe(true);
    expect([out.to, out.flags, out.length, out.offset]).toEqual([3, 1, 2, HEADROOM]);
    expect([...out.bytes.subarray(HEADROOM, HEADROOM + 2)]).toEqual([8, 7]);
    expect(ring.pop(out)).toBe(false);
  });

  it('agrees with an array of datagrams under any sequence, and never exceeds its bounds', () => {
    const step = fc.record({ push: fc.boolean(), length: fc.nat(20), to: fc.nat(1000) });
    check(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 12 }),
        fc.array(step, { maxLength: 120 }),
        (bytesMax, recordsMax, steps) => {
          const ring = new ByteRing(bytesMax, recordsMax);
          const out = createTransmit();
          const model: { to: number; hex: string }[] = [];
          let serial = 0;
          for (const { push, length, to } of steps) {
            if (push) {
              const bytes = new Uint8Array(length).fill(++serial & 255);
              const held = ring.byteLength;
              const taken = ring.push(to, serial, bytes, 0, length);
              if (taken) model.push({ to, hex: toHex(bytes) });
              // A datagram lies in one piece: what it may waste is one gap behind the last and one before the oldest.
              else expect(held + 2 * length + 32 >= bytesMax || model.length === recordsMax).toBe(true);
              expect(ring.byteLength).toBeLessThanOrEqual(bytesMax);
              expect(ring.length).toBeLessThanOrEqual(recordsMax);
            } else {
              const expected = model.shift();
              expect(ring.pop(out)).toBe(expected !== undefined);
              if (expected === undefined) continue;
              expect(out.to).toBe(expected.to);
              expect(toHex(out.bytes.slice(out.offset, out.offset + out.length))).toBe(expected.hex);
            }
            expect(ring.length).toBe(model.length);
          }
        },
      ),
      500,
    );
  });

  it('starts small and grows to its bounds without mixing anything up', () => {
    const step = fc.record({ push: fc.integer({ min: 0, max: 3 }), length: fc.nat(1500) });
    check(
      fc.property(fc.array(step, { minLength: 80, maxLength: 160 }), (steps) => {
        const ring = new ByteRing(16_384, 64);
        const out = createTransmit();
        const model: string[] = [];
        for (const [i, { push, length }] of steps.entries()) {
          if (push > 0) {
            const bytes = new Uint8Array(length).fill(i + 1);
            const held = ring.byteLength;
            const taken = ring.push(i, 0, bytes, 0, length);
            if (taken) model.push(toHex(bytes));
            else expect(held + length + 1_500 + 64 >= 16_384 || model.length === 64).toBe(true);
          } else {
            const expected = model.shift();
            expect(ring.pop(out)).toBe(expected !== undefined);
            if (expected !== undefined)
              expect(toHex(out.bytes.slice(out.offset, out.offset + out.length))).toBe(expected);
          }
          expect(ring.length).toBe(model.length);
        }
      }),
      200,
    );
    const ring = new ByteRing(16_384);
    expect(ring.push(0, 0, new Uint8Array(16_384), 0, 16_384)).toBe(true);
    expect(ring.push(0, 0, new Uint8Array(1), 0, 1)).toBe(false);
  });

  it('takes a datagram of any length up to its size when it is empty', () => {
    for (let length = 0; length <= 32; length++) {
      const ring = new ByteRing(32);
      ring.push(0, 0, new Uint8Array(10), 0, 10);
      ring.pop(createTransmit());
      expect(ring.push(1, 0, new Uint8Array(32), 0, length)).toBe(true);
    }
    expect(new ByteRing(32).push(0, 0, new Uint8Array(33), 0, 33)).toBe(false);
  });

  it('fills its buffer to the last byte, also when it wraps', () => {
    const ring = new ByteRing(32, 8);
    const out = createTransmit();
    const push = (length: number) => ring.push(0, 0, new Uint8Array(length).fill(length), 0, length);
    expect([push(10), push(12), push(10), push(1)]).toEqual([true, true, true, false]);
    ring.pop(out);
    expect([push(11), push(10), push(1)]).toEqual([false, true, false]);
    ring.pop(out);
    expect([push(6), push(6), push(1)]).toEqual([true, true, false]);
    const lengths: number[] = [];
    while (ring.pop(out)) {
      expect(out.bytes[out.offset + out.length - 1]).toBe(out.length);
      lengths.push(out.length);
    }
    expect(lengths).toEqual([10, 10, 6, 6]);
  });

  it('asserts the room that the host owes', () => {
    const ring = new ByteRing(64);
    ring.push(0, 0, new Uint8Array(40), 0, 40);
    expect(() => ring.pop({ to: 0, bytes: new Uint8Array(39), offset: 0, length: 0, flags: 0 })).toThrow(
      /room for every queued datagram/,
    );
    ring.clear();
    expect([ring.length, ring.byteLength]).toEqual([0, 0]);
  });
});
