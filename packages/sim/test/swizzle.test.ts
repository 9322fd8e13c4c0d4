import { expect, it } from 'vitest';
import { HostState, swizzle } from '../src/index.ts';
import { hosts, simulator } from './chatter.ts';

it('a swizzle stops links one by one and brings them back in another order', () => {
  const sim = simulator();
  hosts(sim, 20);
  const chosen = [2, 3, 5, 7, 11, 13, 17, 19];
  const ms = swizzle(sim, chosen, { stepMs: 100, holdMs: 2_000 });
  const stopped: number[] = [];
  const back: number[] = [];
  let most = 0;
  for (let now = 0; now < ms + 1; now++) {
    sim.run(1);
    const mute = [...sim.network.state.subarray(0, 20).keys()].filter(
      (host) => sim.network.state[host] === HostState.MUTE,
    );
    most = Math.max(most, mute.length);
    for (const host of mute) if (!stopped.includes(host)) stopped.push(host);
    for (const host of stopped) if (!mute.includes(host) && !back.includes(host)) back.push(host);
  }
  expect(most).toBe(chosen.length);
  expect([...stopped].sort((a, b) => a - b)).toEqual(chosen);
  expect([...back].sort((a, b) => a - b)).toEqual(chosen);
  expect(back).not.toEqual(stopped);
  expect(ms).toBeGreaterThan(2_000);
});

it('a swizzle leaves a host that has gone meanwhile', () => {
  const sim = simulator();
  hosts(sim, 2);
  const ms = swizzle(sim, [0, 1], { stepMs: 10, holdMs: 500 });
  sim.run(300);
  expect(sim.network.state[1]).toBe(HostState.MUTE);
  sim.stop(1);
  sim.run(ms);
  expect([...sim.network.state.subarray(0, 2)]).toEqual([HostState.UP, HostState.DOWN]);
});
