import { formatEndpoint, parseEndpoint } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { Drop, NAT_CLASSES, type NatClass, PERFECT_LINK } from '../src/index.ts';
import { type Chatter, chatter, simulator } from './chatter.ts';

const blocked = NAT_CLASSES.find((nat) => nat.name === 'udp-blocked') as NatClass;

function trio() {
  const sim = simulator();
  const box = sim.network.nats.add(blocked);
  const inside = chatter(sim, { row: 0, link: PERFECT_LINK, nat: box, v6: true });
  const outside = chatter(sim, { row: 1, link: PERFECT_LINK, v6: true });
  const old = chatter(sim, { row: 1, link: PERFECT_LINK });
  return { sim, inside, outside, old };
}

const v6 = (node: Chatter): Uint8Array => node.host.v6Endpoint as Uint8Array;

describe('hosts with IPv6', () => {
  it('have an address each, in networks of their own', () => {
    const { inside, outside, old } = trio();
    const network = /^\[2001:db8:[0-9a-f]+:[0-9a-f]*00::1\]:4000$|^\[2001:db8::1\]:4000$/;
    expect(formatEndpoint(v6(inside))).toMatch(network);
    expect(formatEndpoint(v6(outside))).toMatch(network);
    // The /48 is what diversity limits look at.
    expect(v6(inside).subarray(0, 7)).not.toEqual(v6(outside).subarray(0, 7));
    expect(old.host.v6Endpoint).toBeUndefined();
  });

  it('reach each other past a box that lets no IPv4 through, both ways', () => {
    const { sim, inside, outside } = trio();
    outside.isEcho = true;
    inside.send(outside.host.endpoint, 1);
    inside.send(v6(outside), 2);
    sim.run(200);
    expect(outside.arrivals.map((arrival) => arrival.first)).toEqual([2]);
    expect(inside.arrivals.map(({ at, first }) => [at, first])).toEqual([[100, 130]]);
    expect(sim.network.dropped[Drop.NAT]).toBe(1);
    outside.send(v6(inside), 3);
    sim.run(200);
    expect(inside.arrivals.at(-1)?.first).toBe(3);
  });

  it('are out of reach for one that has none, and one that has none is for them', () => {
    const { sim, inside, outside, old } = trio();
    old.send(v6(outside), 1);
    // Host 2 has IPv4 alone; the others are addresses that nobody can have.
    for (const text of [
      '[2001:db8:0:2::1]:4000',
      '[2001:db8::2]:4000',
      '[2001:db9::1]:4000',
      '12.0.0.0:4000',
    ])
      inside.send(parseEndpoint(text), 2);
    sim.run(200);
    expect(sim.network.dropped[Drop.UNREACHABLE]).toBe(5);
    expect([...inside.arrivals, ...outside.arrivals, ...old.arrivals]).toEqual([]);
  });

  it('may be told another port', () => {
    const { sim, inside, outside } = trio();
    const wrong = v6(outside);
    wrong[18] = 1;
    inside.send(wrong, 1);
    sim.run(200);
    expect(sim.network.dropped[Drop.UNREACHABLE]).toBe(1);
  });
});
