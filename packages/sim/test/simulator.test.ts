import { describe, expect, it } from 'vitest';
import { ACCESS_CLASSES, type AccessClass, Drop, PERFECT_LINK, type SimHost } from '../src/index.ts';
import { busyHistory, Chatter, chatter, hosts, simulator, text } from './chatter.ts';

const cable = ACCESS_CLASSES[1] as AccessClass;

describe('the simulator', () => {
  it('carries a datagram in half the measured time there and back', () => {
    const sim = simulator();
    const [a, b] = hosts(sim, 2) as [Chatter, Chatter];
    a.send(b.host.endpoint, 1);
    sim.run(1_000);
    expect(b.arrivals).toEqual([{ at: 50, from: text(a.host.endpoint), first: 1 }]);
    expect(sim.nowMs).toBe(1_000);
  });

  it('gives one history for one seed, and another for another', () => {
    const first = busyHistory(3, cable, 5_000);
    const again = busyHistory(3, cable, 5_000);
    const other = busyHistory(4, cable, 5_000);
    expect(first.network.datagramsDelivered).toBeGreaterThan(5_000);
    expect(again.digest()).toBe(first.digest());
    expect(again.events).toBe(first.events);
    expect(other.digest()).not.toBe(first.digest());
  });

  it('shows in the digest when one datagram comes a microsecond later', () => {
    const digests = [50_000, 50_001].map((length) => {
      const sim = simulator();
      const [a, b] = hosts(sim, 2, { ...PERFECT_LINK, upMbps: 1024 / (length - 50_000 + 1) }) as [
        Chatter,
        Chatter,
      ];
      a.send(b.host.endpoint, 1);
      sim.run(1_000);
      expect(b.arrivals).toHaveLength(1);
      return sim.digest();
    });
    expect(digests[0]).not.toBe(digests[1]);
  });

  it('runs a timer once, at its instant, unless it is set again or cleared', () => {
    const sim = simulator();
    const [a] = hosts(sim, 1) as [Chatter];
    const fired: string[] = [];
    const note = (name: string) => () => fired.push(`${name} ${a.host.now()}`);
    a.host.setTimer(note('replaced'), 50);
    a.host.setTimer(note('kept'), 70);
    sim.run(100);
    a.host.setTimer(note('cleared'), 20);
    a.host.clearTimer(0);
    sim.run(100);
    a.host.setTimer(note('last'), 5);
    sim.run(100);
    expect(fired).toEqual(['kept 70', 'last 205']);
  });

  it('starts a clock with each node, and skews the wall clock as told', () => {
    const sim = simulator();
    hosts(sim, 1);
    sim.run(1_234);
    const node = chatter(sim, { row: 0, link: PERFECT_LINK, skewMs: -5_000 });
    expect(node.host.now()).toBe(0);
    expect(node.host.wallMsAtZero).toBe(1_800_000_000_000 + 1_234 - 5_000);
    sim.run(10);
    expect(node.host.now()).toBe(10);
  });

  it('makes a sleeper when the first datagram reaches it, with the clock that it would have had; never once it left', () => {
    const sim = simulator();
    const [a] = hosts(sim, 1) as [Chatter];
    const made: string[] = [];
    const sleepers = [1, 2, 3].map(() => {
      const host = sim.addHost({ row: 1, link: PERFECT_LINK });
      const factory = (face: SimHost): Chatter => {
        made.push(`${face.index} at ${face.now()}`);
        return new Chatter(face);
      };
      sim.startAsleep(host, factory, -500);
      return host;
    }) as [number, number, number];
    sim.run(100);
    expect(made).toEqual([]);
    sim.stop(sleepers[1]);
    for (const host of sleepers.slice(0, 2)) a.send(sim.network.boundEndpoint(host), 1);
    sim.run(1_000);
    sim.wake(sleepers[2]);
    sim.wake(sleepers[0]);
    expect(made).toEqual([`${sleepers[0]} at 650`, `${sleepers[2]} at 1600`]);
  });

  it('runs what was deferred at the same instant, after the datagrams of that instant', () => {
    const sim = simulator();
    const [a, b, c] = hosts(sim, 3) as [Chatter, Chatter, Chatter];
    const order: string[] = [];
    b.receive = (_endpoint, _at, bytes, offset) => {
      order.push(`datagram ${bytes[offset]}`);
      if (bytes[offset] === 1) b.host.defer(() => order.push(`deferred ${b.host.now()}`));
    };
    a.send(b.host.endpoint, 1);
    c.send(b.host.endpoint, 2);
    sim.run(1_000);
    expect(order).toEqual(['datagram 1', 'datagram 2', 'deferred 50']);
  });

  it('forgets a stopped node: its timer, what is under way to it, what it still tries to send', () => {
    const sim = simulator();
    const [a, b] = hosts(sim, 2) as [Chatter, Chatter];
    let fired = 0;
    b.host.setTimer(() => fired++, 60);
    a.send(b.host.endpoint, 1);
    sim.run(10);
    sim.stop(b.host.index);
    b.send(a.host.endpoint, 2);
    b.host.setTimer(() => fired++, 1);
    sim.run(1_000);
    expect([fired, b.arrivals.length, a.arrivals.length]).toEqual([0, 0, 0]);
    expect(sim.network.dropped[Drop.GONE]).toBe(1);
    const again = sim.start(b.host.index, (host) => new Chatter(host)) as Chatter;
    a.send(again.host.endpoint, 3);
    sim.run(100);
    expect(again.arrivals.map((arrival) => arrival.first)).toEqual([3]);
  });

  it('charges processor time: datagrams wait for the ones before them', () => {
    const sim = simulator({ cpuMicros: () => 30_000 });
    const [a, b] = hosts(sim, 2) as [Chatter, Chatter];
    for (let i = 0; i < 3; i++) a.send(b.host.endpoint, i);
    sim.run(1_000);
    expect(b.arrivals.map((arrival) => arrival.at)).toEqual([80, 110, 140]);
  });

  it('names instant, seed and the command that repeats it when a node throws', () => {
    const sim = simulator({ replay: 'npm run sim -- steady --seed 7' });
    const [a] = hosts(sim, 1) as [Chatter];
    a.host.setTimer(() => {
      throw new Error('broken');
    }, 40);
    expect(() => sim.run(100)).toThrow(
      /at 40 ms .*seed 7.*replay: npm run sim -- steady --seed 7: Error: broken/,
    );
  });

  it("keeps whole microseconds, so that a timer never fires before its millisecond by the host's clock", () => {
    const sim = simulator();
    const late: number[] = [];
    for (let i = 0; i < 200; i++) {
      sim.run(0.1234567);
      const node = chatter(sim, { row: 0, link: PERFECT_LINK });
      const due = 1 + ((i * 37) % 1_000);
      node.host.setTimer(() => late.push(node.host.now() - due), due);
      sim.call(i * 0.3331, () => {});
    }
    sim.run(2_000);
    expect(late).toEqual(Array.from({ length: 200 }, () => 0));
    expect(Number.isInteger(sim.nowMs * 1000)).toBe(true);
  });

  it('ends a run in which a node asks to be called at once for ever', () => {
    const sim = simulator();
    const [, b] = hosts(sim, 2) as [Chatter, Chatter];
    const again = (): void => b.host.defer(again);
    b.host.setTimer(again, 5);
    expect(() => sim.run(10)).toThrow(/at 5 ms .*time stands still: host 1/);
  });

  it('calls the script at its instants, before anything else of that instant', () => {
    const sim = simulator();
    const [a, b] = hosts(sim, 2) as [Chatter, Chatter];
    const order: string[] = [];
    sim.call(30, () => {
      order.push('call');
      sim.setMute(b.host.index, true);
    });
    b.host.setTimer(() => order.push('timer'), 30);
    a.send(b.host.endpoint, 1);
    sim.run(100);
    expect(order).toEqual(['call', 'timer']);
    expect(b.arrivals).toEqual([]);
  });

  it('leaves no datagram behind once all have arrived or were lost', () => {
    const sim = busyHistory(5, cable, 2_000);
    for (let host = 0; host < 8; host++) sim.stop(host);
    sim.run(60_000);
    const { network } = sim;
    expect(network.payloads.count).toBe(0);
    expect(sim.waiting).toBe(0);
    // Every datagram is accounted for: copies on one side, arrivals and losses on the other.
    const lost = network.dropped.reduce((total, count) => total + count, 0);
    expect(network.datagramsDelivered + lost).toBeGreaterThan(network.datagramsSent);
    expect(network.datagramsDelivered + lost).toBeLessThan(network.datagramsSent * 1.04);
  });
});
