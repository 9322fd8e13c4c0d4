import { describe, expect, it } from 'vitest';
import { HOST_ADDRESS } from '../src/constants.ts';
import { Drop, NAT_CLASSES, type NatClass, PERFECT_LINK, type Simulator } from '../src/index.ts';
import { type Chatter, chatter, hosts, simulator, text } from './chatter.ts';

const classOf = (name: string): NatClass => NAT_CLASSES.find((nat) => nat.name === name) as NatClass;

/** A host behind boxes of these classes, the outermost last. */
function behind(sim: Simulator, ...names: string[]): Chatter {
  let box = -1;
  for (const name of [...names].reverse()) box = sim.network.nats.add(classOf(name), box);
  return chatter(sim, { row: 0, link: PERFECT_LINK, nat: box });
}

/** What `inside` looks like to `a` and to `b`, and whether each of three may answer it afterwards. */
function behaviour(name: string) {
  const sim = simulator();
  const [a, b] = hosts(sim, 2) as [Chatter, Chatter];
  // The same address as `a`'s cannot send from another port here, so a third host stands for "another address".
  const [c] = hosts(sim, 1) as [Chatter];
  const inside = behind(sim, name);
  inside.send(a.host.endpoint, 1);
  inside.send(b.host.endpoint, 1);
  sim.run(200);
  const seen = [a, b].map((node) => node.arrivals[0]?.from);
  const [outside] = seen;
  let passes: number[] = [];
  if (outside !== undefined) {
    const endpoint = endpointOf(outside);
    a.send(endpoint, 10);
    b.send(endpoint, 11);
    c.send(endpoint, 12);
    sim.run(200);
    passes = inside.arrivals.map((arrival) => arrival.first).sort();
  }
  return { sameMapping: seen[0] === seen[1], outside, passes, inside: text(inside.host.endpoint) };
}

function endpointOf(outside: string): Uint8Array {
  const [address, port] = outside.split(':') as [string, string];
  const endpoint = new Uint8Array(19);
  endpoint[0] = 4;
  endpoint.set(address.split('.').map(Number), 1);
  endpoint[17] = Number(port) >>> 8;
  endpoint[18] = Number(port);
  return endpoint;
}

describe('NAT boxes', () => {
  it.each([
    ['full-cone', true, [10, 11, 12]],
    ['restricted', true, [10, 11]],
    ['port-restricted', true, [10, 11]],
    ['carrier', true, [10, 11]],
    ['symmetric', false, [10]],
  ])('of class %s map and filter as RFC 4787 names it', (name, sameMapping, passes) => {
    const seen = behaviour(name);
    expect(seen.sameMapping).toBe(sameMapping);
    expect(seen.passes).toEqual(passes);
    expect(seen.outside).not.toBe(seen.inside);
  });

  it('that block UDP let nothing out', () => {
    expect(behaviour('udp-blocked').outside).toBeUndefined();
  });

  it('keep the port where they preserve it, and give two hosts of one box different ones', () => {
    const sim = simulator();
    const [a] = hosts(sim, 1) as [Chatter];
    const box = sim.network.nats.add(classOf('port-restricted'));
    const inside = [0, 1].map(() => chatter(sim, { row: 0, link: PERFECT_LINK, nat: box }));
    for (const node of inside) node.send(a.host.endpoint, 1);
    sim.run(100);
    const ports = a.arrivals.map((arrival) => arrival.from.split(':')[1]);
    expect(ports[0]).toBe('4000');
    expect(new Set(ports).size).toBe(2);
  });

  it('tell ports of one address apart only where the filter does', () => {
    const run = (name: string): number[] => {
      const sim = simulator();
      const [a] = hosts(sim, 1) as [Chatter];
      const inside = behind(sim, name);
      inside.send(a.host.endpoint, 1);
      sim.run(100);
      const { nats } = sim.network;
      const outside = endpointOf(a.arrivals[0]?.from as string);
      const port = ((outside[17] as number) << 8) | (outside[18] as number);
      const remote = HOST_ADDRESS + a.host.index;
      return [4000, 4001].map((from) => (nats.inbound(100, 0, port, remote, from) >= 0 ? 1 : 0));
    };
    expect(run('restricted')).toEqual([1, 1]);
    expect(run('port-restricted')).toEqual([1, 0]);
  });

  it('forget a mapping that was not used from inside in time, whatever came from outside', () => {
    const sim = simulator();
    const [a] = hosts(sim, 1) as [Chatter];
    const inside = behind(sim, 'carrier');
    inside.send(a.host.endpoint, 1);
    sim.run(1_000);
    const outside = endpointOf(a.arrivals[0]?.from as string);
    for (let second = 1; second < 90; second++) {
      a.send(outside, second);
      sim.run(1_000);
    }
    // The only datagram from inside left at 0 s; the one of 59 s still passes, that of 60 s does not.
    expect(inside.arrivals.at(-1)?.first).toBe(59);
    expect(sim.network.dropped[Drop.NAT]).toBe(30);
    inside.send(a.host.endpoint, 2);
    sim.run(1_000);
    expect(a.arrivals.at(-1)?.from).not.toBe(a.arrivals[0]?.from);
  });

  it('let two hosts behind one box meet over its outside only where they hairpin', () => {
    const run = (name: string): number => {
      const sim = simulator();
      const [a] = hosts(sim, 1) as [Chatter];
      const box = sim.network.nats.add(classOf(name));
      const [x, y] = [0, 1].map(() => chatter(sim, { row: 0, link: PERFECT_LINK, nat: box })) as [
        Chatter,
        Chatter,
      ];
      y.send(a.host.endpoint, 1);
      sim.run(100);
      x.send(endpointOf(a.arrivals[0]?.from as string), 9);
      sim.run(100);
      return y.arrivals.length;
    };
    expect(run('full-cone')).toBe(1);
    expect(run('port-restricted')).toBe(0);
  });

  it('chain: a home box behind a carrier, and the answer finds its way back through both', () => {
    const sim = simulator();
    const [a] = hosts(sim, 1) as [Chatter];
    a.isEcho = true;
    const inside = behind(sim, 'port-restricted', 'carrier');
    inside.send(a.host.endpoint, 5);
    sim.run(500);
    expect(inside.arrivals.map((arrival) => arrival.first)).toEqual([133]);
    expect(sim.network.nats.mappings).toBe(2);
    // The public side is the carrier's box, which was made first.
    expect(/^(8\d|9[0-5])\./.test(a.arrivals[0]?.from ?? '')).toBe(true);
  });

  it('reuse what lapsed instead of growing without end', () => {
    const sim = simulator();
    const { nats } = sim.network;
    const box = nats.add(classOf('symmetric'));
    let most = 0;
    for (let i = 0; i < 20_000; i++) {
      const now = i * 1_000;
      expect(nats.outbound(now, box, 1, 4000, 1_000 + i, 4000)).toBeGreaterThan(0);
      most = Math.max(most, nats.mappings);
    }
    // 120 s of one new remote end a second.
    expect(most).toBeLessThanOrEqual(256);
  });
});
