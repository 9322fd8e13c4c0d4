import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSeededRng, IDLE, randomBelow, TimerTable } from '../src/index.ts';
import { check } from './property.ts';

function drain(timers: TimerTable, now: number): number[] {
  const ids: number[] = [];
  for (let id = timers.expired(now); id >= 0; id = timers.expired(now)) ids.push(id);
  return ids;
}

describe('TimerTable', () => {
  it('hands out each timer once, at its instant and not before', () => {
    const timers = new TimerTable(4);
    timers.set(2, 100);
    expect(timers.isSet(2)).toBe(true);
    expect(timers.at(2)).toBe(100);
    expect(drain(timers, 99)).toEqual([]);
    expect(drain(timers, 100)).toEqual([2]);
    expect(timers.isSet(2)).toBe(false);
    expect(drain(timers, 1000)).toEqual([]);
  });

  it('is exact for every delay around the borders of its levels, up to IDLE', () => {
    const borders = [0, 5, 10, 15, 20, 25, 30].map((bits) => 2 ** bits);
    const delays = new Set([IDLE, ...borders.flatMap((border) => [border - 1, border, border + 1])]);
    for (const start of [0, 1, 31, 32, 1023, 0x3ffffff0, 2 ** 31 - 1, 2 ** 32 - 3, 2 ** 40 + 12345]) {
      for (const delay of delays) {
        const timers = new TimerTable(1);
        expect(drain(timers, start)).toEqual([]);
        timers.set(0, start + delay);
        if (delay > 0) expect(drain(timers, start + delay - 1)).toEqual([]);
        expect(drain(timers, start + delay)).toEqual([0]);
      }
    }
  });

  it('tells the next millisecond exactly after a pass, however long the host slept', () => {
    const timers = new TimerTable(1);
    let now = 0;
    for (const sleep of [1, 30, 1, 31, 1000, 65536, 2 ** 28, IDLE, 3 * IDLE, 5, 2 ** 33 + 17]) {
      now += sleep;
      expect(drain(timers, now)).toEqual(sleep === 1 && now === 1 ? [] : [0]);
      timers.set(0, now + 1);
      expect(timers.nextDelay(now)).toBe(1);
    }
    const busy = new TimerTable(2);
    busy.set(1, 1_000_000);
    expect(drain(busy, 500_005)).toEqual([]);
    busy.set(0, 500_006);
    expect(busy.nextDelay(500_005)).toBe(1);
  });

  it('treats an instant in the past as due at once', () => {
    const timers = new TimerTable(2);
    drain(timers, 5000);
    timers.set(0, 10);
    timers.set(1, 5000);
    expect(timers.nextDelay(5000)).toBe(0);
    expect(drain(timers, 5000)).toEqual([0, 1]);
  });

  it('replaces what was set, forgets what was cleared', () => {
    const timers = new TimerTable(3);
    timers.set(0, 10);
    timers.set(0, 2000);
    timers.set(1, 10);
    timers.clear(1);
    timers.clear(1);
    timers.clear(2);
    timers.clear(99);
    expect(drain(timers, 1999)).toEqual([]);
    expect(drain(timers, 2000)).toEqual([0]);
  });

  it('answers IDLE when nothing is set', () => {
    const timers = new TimerTable(2);
    expect(timers.nextDelay(0)).toBe(IDLE);
    timers.set(0, 7);
    expect(timers.nextDelay(0)).toBe(7);
    timers.clear(0);
    expect(timers.nextDelay(0)).toBe(IDLE);
  });

  it('keeps its timers when it grows', () => {
    const timers = new TimerTable(1);
    timers.set(0, 500);
    timers.grow(3);
    expect(timers.capacity).toBe(3);
    timers.grow(2);
    expect(timers.capacity).toBe(3);
    expect(timers.isSet(2)).toBe(false);
    timers.set(2, 400);
    expect(drain(timers, 600)).toEqual([2, 0]);
  });

  it('hands out in one pass also what is set due during the pass', () => {
    const timers = new TimerTable(2);
    timers.set(0, 10);
    expect(timers.expired(10)).toBe(0);
    timers.set(1, 10);
    expect(timers.expired(10)).toBe(1);
    expect(timers.expired(10)).toBe(-1);
  });

  it('survives a clock that stands still or steps back', () => {
    const timers = new TimerTable(2);
    drain(timers, 1000);
    timers.set(0, 1001);
    expect(drain(timers, 500)).toEqual([]);
    expect(timers.nextDelay(500)).toBe(501);
    expect(drain(timers, 1001)).toEqual([0]);
  });

  it('refuses an id without a row', () => {
    const timers = new TimerTable(2);
    expect(() => timers.set(2, 1)).toThrow(RangeError);
    expect(() => timers.set(-1, 1)).toThrow(RangeError);
    expect(timers.isSet(2)).toBe(false);
    expect(() => new TimerTable(-1)).toThrow(RangeError);
  });

  it('agrees with a sorted list under any sequence of set, clear and time', () => {
    const step = fc.record({
      kind: fc.constantFrom('set', 'set', 'set', 'clear', 'wait', 'wait-until-due'),
      id: fc.nat(15),
      ms: fc.oneof(fc.nat(70), fc.nat(5000), fc.nat(IDLE), fc.nat({ max: 3 * IDLE })),
    });
    const start = fc.constantFrom(0, 12345, 2 ** 30 - 20, 2 ** 32 - 7);
    check(
      fc.property(start, fc.array(step, { maxLength: 80 }), (startMs, steps) => {
        const timers = new TimerTable(16);
        const model = new Map<number, number>();
        let now = startMs;
        drain(timers, now);
        for (const { kind, id, ms } of steps) {
          if (kind === 'set') {
            timers.set(id, now + ms - 20);
            model.set(id, now + ms - 20);
          } else if (kind === 'clear') {
            timers.clear(id);
            model.delete(id);
          } else {
            now += kind === 'wait' ? ms : timers.nextDelay(now) % IDLE;
            const due = [...model].filter(([, at]) => at <= now);
            const got = drain(timers, now);
            expect(got.slice().sort((a, b) => a - b)).toEqual(due.map(([i]) => i).sort((a, b) => a - b));
            for (const [i] of due) model.delete(i);
            expect(timers.nextDelay(now)).toBeGreaterThan(0);
          }
          const soonest = Math.min(...model.values());
          const truth = model.size === 0 ? IDLE : Math.max(0, Math.min(IDLE, soonest - now));
          expect(timers.nextDelay(now)).toBeLessThanOrEqual(truth);
          if (model.size === 0) expect(timers.nextDelay(now)).toBe(IDLE);
          for (let i = 0; i < 16; i++) expect(timers.isSet(i)).toBe(model.has(i));
        }
      }),
      500,
    );
  });

  it('hands timers out in order of their instants', () => {
    const rng = createSeededRng(5);
    const timers = new TimerTable(1000);
    const instants = Array.from({ length: 1000 }, () => randomBelow(rng, 2 ** 24));
    instants.forEach((at, id) => {
      timers.set(id, at);
    });
    const order = drain(timers, 2 ** 24).map((id) => instants[id] as number);
    expect(order).toEqual(instants.slice().sort((a, b) => a - b));
  });

  it('reaches a far timer in a handful of wake-ups when the host sleeps as told', () => {
    const timers = new TimerTable(1);
    timers.set(0, IDLE - 1);
    let now = 0;
    let wakeUps = 0;
    while (timers.expired(now) < 0) {
      now += timers.nextDelay(now);
      wakeUps++;
    }
    expect(now).toBe(IDLE - 1);
    expect(wakeUps).toBeLessThanOrEqual(7);
  });
});
