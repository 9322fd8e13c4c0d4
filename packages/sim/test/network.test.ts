import { describe, expect, it } from 'vitest';
import {
  ACCESS_CLASSES,
  type AccessClass,
  Clock,
  Drop,
  Generators,
  Links,
  PERFECT_LINK,
} from '../src/index.ts';
import { type Chatter, hosts, simulator } from './chatter.ts';

const mobile = ACCESS_CLASSES[3] as AccessClass;

function links(link: AccessClass): { columns: Links; clock: Clock } {
  const generators = new Generators(5);
  const clock = new Clock();
  const columns = new Links(generators, clock);
  columns.resize(16);
  for (let host = 0; host < 16; host++) columns.set(host, link, generators.add());
  return { columns, clock };
}

describe('access links', () => {
  it('lose the stated share, in spells: after one loss the next is far likelier', () => {
    const { columns, clock } = links({ ...mobile, lossMean: 0.02, lossSpellMs: 200 });
    let losses = 0;
    let pairs = 0;
    let before = false;
    const count = 400_000;
    for (let i = 0; i < count; i++) {
      clock.now = i * 10_000;
      const lost = columns.loses(0);
      if (lost) losses++;
      if (lost && before) pairs++;
      before = lost;
    }
    expect(losses / count).toBeGreaterThan(0.017);
    expect(losses / count).toBeLessThan(0.023);
    // 10 ms after a loss the spell has ended with chance 1 - exp(-10/200): the next is lost by about 0.48.
    expect(pairs / losses).toBeGreaterThan(0.43);
    expect(pairs / losses).toBeLessThan(0.52);
  });

  it('forget a spell during a long silence', () => {
    const { columns, clock } = links({ ...mobile, lossMean: 0.02, lossSpellMs: 200 });
    let losses = 0;
    for (let i = 0; i < 100_000; i++) {
      clock.now = i * 60_000_000;
      if (columns.loses(0)) losses++;
    }
    expect(losses / 100_000).toBeGreaterThan(0.017);
    expect(losses / 100_000).toBeLessThan(0.023);
  });

  it('spend the stated share of time in bursts, and one burst keeps its size', () => {
    const { columns, clock } = links({ ...mobile, burstEveryMs: 9_000, burstLengthMs: 1_000, burstMs: 100 });
    let bursting = 0;
    let changes = 0;
    let before = 0;
    const count = 200_000;
    for (let i = 0; i < count; i++) {
      clock.now = i * 10_000;
      clock.result = 0;
      columns.addBurst(1);
      const burst = clock.result;
      if (burst > 0) bursting++;
      if (burst > 0 && before > 0 && burst !== before) changes++;
      before = burst;
    }
    expect(bursting / count).toBeGreaterThan(0.08);
    expect(bursting / count).toBeLessThan(0.12);
    expect(changes).toBe(0);
  });

  it('send one datagram after the other, and drop what would wait too long', () => {
    const sim = simulator();
    // 128 bytes with headers at 0.1 Mbit/s take 10.24 ms.
    const slow = { ...PERFECT_LINK, upMbps: 0.1, queueMs: 100 };
    const [a, b] = hosts(sim, 2, slow) as [Chatter, Chatter];
    for (let i = 0; i < 20; i++) a.send(b.host.endpoint, i);
    sim.run(2_000);
    expect(b.arrivals.map((arrival) => arrival.at)).toEqual([60, 70, 80, 90, 101, 111, 121, 131, 142, 152]);
    expect(sim.network.dropped[Drop.QUEUE]).toBe(10);
  });

  it('have their own delays, drawn once, with the stated median', () => {
    const { columns } = links(mobile);
    const drawn = [...columns.access.subarray(0, 16)].map((us) => (2 * us) / 1000).sort((x, y) => x - y);
    expect(new Set(drawn).size).toBe(16);
    expect(drawn[8]).toBeGreaterThan(20);
    expect(drawn[8]).toBeLessThan(60);
  });
});

describe('the network', () => {
  it('cuts one direction between two groups and lets the other pass, until it heals', () => {
    const sim = simulator();
    const [a, b] = hosts(sim, 2) as [Chatter, Chatter];
    sim.network.setGroup(b.host.index, 1);
    sim.network.setBlocked(0, 1, true);
    a.send(b.host.endpoint, 1);
    b.send(a.host.endpoint, 2);
    sim.run(100);
    expect([a.arrivals.length, b.arrivals.length]).toEqual([1, 0]);
    expect(sim.network.dropped[Drop.PARTITION]).toBe(1);
    sim.network.heal();
    a.send(b.host.endpoint, 3);
    sim.run(100);
    expect(b.arrivals.map((arrival) => arrival.first)).toEqual([3]);
  });

  it('keeps from a mute host what comes, and from others what it says, while its timers run', () => {
    const sim = simulator();
    const [a, b] = hosts(sim, 2) as [Chatter, Chatter];
    let fired = 0;
    b.host.setTimer(() => fired++, 100);
    sim.setMute(b.host.index, true);
    a.send(b.host.endpoint, 1);
    b.send(a.host.endpoint, 1);
    sim.run(200);
    expect([a.arrivals.length, b.arrivals.length, fired]).toEqual([0, 0, 1]);
    expect([sim.network.dropped[Drop.SILENT], sim.network.dropped[Drop.GONE]]).toEqual([1, 1]);
    sim.setMute(b.host.index, false);
    a.send(b.host.endpoint, 2);
    sim.run(200);
    expect(b.arrivals.map((arrival) => arrival.first)).toEqual([2]);
  });

  it('drops what exceeds the MTU', () => {
    const sim = simulator();
    const [a, b] = hosts(sim, 2) as [Chatter, Chatter];
    a.send(b.host.endpoint, 1, 1452);
    a.send(b.host.endpoint, 2, 1453);
    sim.run(100);
    expect(b.arrivals.map((arrival) => arrival.first)).toEqual([1]);
    expect(sim.network.dropped[Drop.SIZE]).toBe(1);
  });

  it('duplicates, reorders and loses the stated shares', () => {
    const sim = simulator();
    const [a, b] = hosts(sim, 2) as [Chatter, Chatter];
    Object.assign(sim.network.faults, { loss: 0.3, duplication: 0.2, reordering: 0.5, reorderMs: 100 });
    for (let i = 0; i < 4_000; i++) {
      sim.call(i * 10, () => a.send(b.host.endpoint, i & 127));
    }
    sim.run(60_000);
    expect(sim.network.dropped[Drop.FAULT_LOSS] as number).toBeGreaterThan(1_100);
    expect(sim.network.dropped[Drop.FAULT_LOSS] as number).toBeLessThan(1_300);
    expect(b.arrivals.length / 2_800).toBeGreaterThan(1.15);
    expect(b.arrivals.length / 2_800).toBeLessThan(1.25);
    const overtaken = b.arrivals.filter((arrival, i) => {
      const next = b.arrivals[i + 1];
      return next !== undefined && ((next.first - arrival.first) & 127) > 64;
    });
    expect(overtaken.length).toBeGreaterThan(300);
  });

  it('tells nobody at an address from a port that nobody listens on, and loses both', () => {
    const sim = simulator();
    const [a, b] = hosts(sim, 2) as [Chatter, Chatter];
    const wrongPort = b.host.endpoint;
    wrongPort[18] = (wrongPort[18] as number) ^ 1;
    a.send(wrongPort, 1);
    const nobody = b.host.endpoint;
    nobody[4] = 200;
    a.send(nobody, 2);
    sim.run(100);
    expect(sim.network.dropped[Drop.UNREACHABLE]).toBe(2);
  });
});
