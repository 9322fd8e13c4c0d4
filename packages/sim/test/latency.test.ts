import { describe, expect, it } from 'vitest';
import { LatencyMatrix, PERFECT_LINK } from '../src/index.ts';
import { chatter, simulator } from './chatter.ts';

/** Two places, three slices of a minute: 100 and 300 ms, then nothing measured one way, then 500 and 700 ms. */
const trace = new LatencyMatrix(Uint16Array.of(0, 10, 30, 0, 0, 0, 20, 0, 0, 50, 70, 0), {
  unitMs: 10,
  slices: 3,
  sliceMs: 60_000,
});

describe('a trace of latencies', () => {
  it('has its own time for each slice and direction, and starts again at its end', () => {
    const at = [0, 59_999, 60_000, 120_000, 180_000].map((ms) => trace.sliceAt(ms * 1000));
    expect(at).toEqual([0, 0, 1, 2, 0]);
    expect(trace.oneWayUs(0, 1, 0)).toBe(50_000);
    expect(trace.oneWayUs(1, 0, 0)).toBe(150_000);
    expect(trace.oneWayUs(1, 0, 2)).toBe(350_000);
    expect(trace.rttMs(0, 1, 2)).toBe(600);
  });

  it('takes the least of the others where nothing was measured', () => {
    expect(trace.leastUs(0, 1)).toBe(50_000);
    expect(trace.oneWayUs(0, 1, 1)).toBe(50_000);
    expect(trace.oneWayUs(1, 0, 1)).toBe(100_000);
  });

  it('carries a datagram as the slice at hand says', () => {
    const sim = simulator({ matrix: trace });
    const [a, b] = [0, 1].map((row) => chatter(sim, { row, link: PERFECT_LINK }));
    for (let minute = 0; minute < 4; minute++) {
      a?.send(b?.host.endpoint as Uint8Array, minute);
      sim.run(60_000);
    }
    expect(b?.arrivals.map((arrival) => arrival.at)).toEqual([50, 60_050, 120_250, 180_050]);
  });

  it('must be square in every slice', () => {
    expect(() => new LatencyMatrix(new Uint16Array(8), { slices: 2, sliceMs: 1 })).toThrow(
      /needs a measurement/,
    );
    expect(() => new LatencyMatrix(new Uint16Array(8))).toThrow(/must be square, not of 8 cells/);
    expect(() => new LatencyMatrix(new Uint16Array(8), { slices: 2, sliceMs: 0 })).toThrow(/sliceMs/);
  });
});
