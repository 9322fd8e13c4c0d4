import { describe, expect, it } from 'vitest';
import { RunningTime } from '../src/clock.ts';

describe('running time', () => {
  it('is the clock while nothing is missed', () => {
    const time = new RunningTime();
    expect([0, 5, 1000].map((clock) => time.at(clock))).toEqual([0, 5, 1000]);
    expect(time.clockAt(1200)).toBe(1200);
  });

  it('leaves out what was missed, stands still for a moment, and never goes back', () => {
    const time = new RunningTime();
    expect(time.at(100)).toBe(100);
    // 500 ms were missed, and whoever is to answer gets 100 more.
    expect(time.miss(620, 600)).toBe(true);
    expect(time.at(620)).toBe(100);
    expect(time.at(690)).toBe(100);
    expect(time.clockAt(150)).toBeGreaterThan(690);
    expect(time.at(time.clockAt(150))).toBeGreaterThanOrEqual(150);
  });

  it('lags no more than half a minute, and makes it up', () => {
    const time = new RunningTime();
    let clock = 0;
    while (time.miss(clock, 4000)) clock += 10;
    expect(clock - time.at(clock)).toBeLessThanOrEqual(30_000);
    let last = time.at(clock);
    for (const end = clock + 300_000; clock < end; clock += 100) {
      const now = time.at(clock);
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
    expect(time.at(clock)).toBe(clock);
  });
});
