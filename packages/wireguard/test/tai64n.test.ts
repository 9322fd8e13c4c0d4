import { toHex } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { StampClock, stampAfter, ticksOf, ticksOfStamp, writeStamp } from '../src/tai64n.ts';
import { WALL_MS, World } from './support/world.ts';

function stampOf(ticks: number): Uint8Array {
  const stamp = new Uint8Array(12);
  writeStamp(stamp, 0, ticks);
  return stamp;
}

function after(a: Uint8Array, b: Uint8Array): boolean {
  return stampAfter(a, 0, b, 0);
}

describe('TAI64N stamps', () => {
  it('are those of the known answers', () => {
    expect(toHex(stampOf(ticksOf(1_700_000_000_118)))).toBe('400000006553f10a07000000');
  });

  it('are whitened: 10 ms later is the same stamp, 20 ms later a later one', () => {
    const at = (ms: number) => stampOf(ticksOf(WALL_MS + ms));
    expect(after(at(10), at(0))).toBe(false);
    expect(after(at(20), at(0))).toBe(true);
    expect(after(at(0), at(0))).toBe(false);
    expect(after(at(0), at(20))).toBe(false);
  });

  it('grow through seconds and through 2^32 seconds', () => {
    let previous = stampOf(ticksOf(0));
    for (const ms of [500, 999, 1000, 1_700_000_000_000, 4_294_967_285_999, 4_294_967_286_000, 5e12]) {
      const stamp = stampOf(ticksOf(ms));
      expect(after(stamp, previous)).toBe(true);
      expect(ticksOfStamp(stamp, 0)).toBe(ticksOf(ms));
      previous = stamp;
    }
  });

  it('to one peer differ even within one tick', () => {
    const clock = new StampClock(WALL_MS, undefined);
    const first = clock.next(5, 0);
    const second = clock.next(5, first);
    expect(after(stampOf(second), stampOf(first))).toBe(true);
    expect(clock.next(5, 0)).toBe(first);
    expect(clock.last).toBe(second);
  });

  it('stay later than the floor of an earlier run when the wall clock went back an hour', () => {
    const floor = stampOf(ticksOf(WALL_MS));
    const clock = new StampClock(WALL_MS - 3_600_000, floor);
    const first = clock.next(0, 0);
    expect(after(stampOf(first), floor)).toBe(true);
    expect(after(stampOf(clock.next(1000, 0)), stampOf(first))).toBe(true);
    expect(ticksOf(WALL_MS + 100)).toBeGreaterThan(new StampClock(WALL_MS - 5, undefined).next(0, 0));
  });

  it('a restarted engine with a floor is heard, and one without is ignored until its clock has caught up', () => {
    for (const withFloor of [true, false]) {
      const world = new World();
      const a = world.host('a');
      const b = world.host('b');
      world.connect(a, b);
      const tai64nFloor = withFloor ? a.wg.lastTai64n : undefined;
      const again = world.host('a again', { wallMsAtZero: WALL_MS - 60_000, tai64nFloor }, a);
      world.run(1000);
      world.send(again, world.open(again, b), 'hello again');
      world.run(1000);
      expect(b.received.map((r) => r.text).slice(1)).toEqual(withFloor ? ['hello again'] : []);
      expect(b.wg.counters.get('drop_replayed_initiation')).toBe(withFloor ? 0 : 1);
    }
  });
});
