import { describe, expect, it } from 'vitest';
import {
  dailyFactor,
  exponentialLeaving,
  flashCrowd,
  Generators,
  KAD_SESSIONS,
  type SessionLaw,
} from '../src/index.ts';

const COUNT = 40_000;

function within(law: SessionLaw, ms: number): number {
  const generators = new Generators(2);
  const g = generators.add();
  let count = 0;
  for (let i = 0; i < COUNT; i++) if (law.draw(generators, g) <= ms) count++;
  return count / COUNT;
}

describe('session laws', () => {
  it('lose the stated share of nodes within the stated time', () => {
    const law = exponentialLeaving(0.3, 60_000);
    expect(within(law, 60_000)).toBeCloseTo(0.3, 1);
    expect(within(law, 120_000)).toBeCloseTo(0.51, 1);
    expect(() => exponentialLeaving(1, 60_000)).toThrow(RangeError);
  });

  it('follow the published sessions of KAD: half end within 93 minutes, and who stayed stays', () => {
    const minute = 60_000;
    expect(within(KAD_SESSIONS, 93.4 * minute)).toBeCloseTo(0.5, 1);
    const hour = within(KAD_SESSIONS, 60 * minute);
    const four = within(KAD_SESSIONS, 240 * minute);
    const five = within(KAD_SESSIONS, 300 * minute);
    expect((five - four) / (1 - four)).toBeLessThan(hour / 2);
  });
});

describe('arrivals', () => {
  it('swing over the day, highest after 18 hours, once a day on average', () => {
    const hour = 3_600_000;
    expect(dailyFactor(18 * hour, 0.4)).toBeCloseTo(1.4);
    expect(dailyFactor(6 * hour, 0.4)).toBeCloseTo(0.6);
    let sum = 0;
    for (let i = 0; i < 24; i++) sum += dailyFactor(i * hour, 0.4);
    expect(sum / 24).toBeCloseTo(1);
  });

  it('of a crowd come in order, most of them at once', () => {
    const generators = new Generators(3);
    const at = flashCrowd(generators, generators.add(), 1_000, 5_000, 2_000);
    expect(at[0]).toBeGreaterThanOrEqual(5_000);
    expect([...at].every((instant, i) => i === 0 || instant >= (at[i - 1] as number))).toBe(true);
    expect(at[500]).toBeLessThan(7_000);
  });
});
