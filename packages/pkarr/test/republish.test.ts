/** Keeping packets alive: the law of survival, the schedule in virtual time, rounds over a network of nodes. */
import { createSeededRng, IDLE } from '@molia/core';
import { createMainline, createTestnet, type Mainline, type Testnet } from '@molia/mainline/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  copySurvival,
  createPkarrClient,
  createRepublisher,
  Keypair,
  lossProbability,
  PacketBuilder,
  type PkarrClient,
  type RepublishEvent,
  RepublishSchedule,
  readableProbability,
  type SignedPacket,
  secondsUntilLoss,
} from '../src/index.ts';

const HOUR = 3600;

describe('survival of copies', () => {
  test.each([
    [1, 0.8593],
    [24, 0.3887],
    [48, 0.239],
  ])('after %i h it is the published bound of %f', (hours, share) => {
    expect(Math.abs(copySurvival(hours * HOUR) - share)).toBeLessThan(0.005);
  });

  test('is a probability, and its inverse inverts it', () => {
    expect([copySurvival(0), copySurvival(-5), readableProbability(0, 1), readableProbability(3, 0)]).toEqual(
      [1, 1, 0, 1],
    );
    for (const copies of [1, 4, 8, 20])
      for (const loss of [1e-9, 1e-3, 0.5])
        expect(Math.log(lossProbability(copies, secondsUntilLoss(copies, loss)) / loss)).toBeCloseTo(0, 6);
    expect(secondsUntilLoss(0, 0.1)).toBe(0);
    expect(secondsUntilLoss(1e9, 1e-6)).toBeGreaterThan(HOUR);
  });

  test('the documented chances hold', () => {
    // packages/pkarr/README.md: 16 copies, hourly; then with one round missed.
    expect(lossProbability(16, HOUR)).toBeLessThan(1e-13);
    expect(lossProbability(16, 2 * HOUR)).toBeLessThan(1e-10);
    expect(lossProbability(8, 2 * 47 * 60)).toBeLessThan(1.1e-6);
    expect(lossProbability(4, 900)).toBeLessThan(3e-5);
  });
});

describe('the schedule', () => {
  const start = (options = {}) => new RepublishSchedule(createSeededRng(1), options);

  test('writes hourly where many nodes hold a packet, sooner where few do, and spreads', () => {
    const delays = (copies: number) => {
      const schedule = start();
      return Array.from({ length: 200 }, (_, i) => {
        schedule.add(0, `${i}`);
        expect(schedule.pollDue(0)).toBe(`${i}`);
        schedule.succeeded(0, `${i}`, copies);
        return schedule.state(`${i}`)?.dueAt as number;
      });
    };
    for (const [copies, seconds] of [
      [20, 3600],
      [8, 2802],
      [3, 900],
      [0, 900],
    ] as const) {
      const found = delays(copies);
      expect(Math.max(...found)).toBeLessThanOrEqual(seconds * 1000);
      expect(Math.min(...found)).toBeGreaterThanOrEqual(seconds * 899);
      expect(Math.max(...found) - Math.min(...found)).toBeGreaterThan(seconds * 50);
    }
  });

  test('tells the chance that a packet outlives its interval', () => {
    const schedule = start();
    schedule.add(0, 'k');
    schedule.pollDue(0);
    schedule.succeeded(0, 'k', 8);
    const state = schedule.state('k');
    expect(1 - (state?.probabilityAfterMiss ?? 0)).toBeLessThan(1.01e-6);
    expect(1 - (state?.probability ?? 0)).toBeLessThan(1e-7);
    expect(schedule.state('other')).toBeUndefined();
  });

  test('tries again after a failure, later each time, and forgets them with a success', () => {
    const schedule = start();
    schedule.add(0, 'k');
    let now = 0;
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      expect(schedule.pollDue(now)).toBe('k');
      schedule.failed(now, 'k');
      const wait = schedule.nextDelay(now);
      waits.push(wait);
      now += wait;
    }
    expect(waits[0]).toBeLessThanOrEqual(30_000);
    expect(waits[3]).toBeGreaterThan(100_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(900_000);
    expect(schedule.state('k')?.failures).toBe(8);
    schedule.pollDue(now);
    schedule.succeeded(now, 'k', 20);
    expect(schedule.state('k')?.failures).toBe(0);
  });

  test('runs no more rounds than allowed, the longest due first; keys are bounded', () => {
    const schedule = start({ concurrencyMax: 2, keysMax: 3 });
    for (const [i, key] of ['a', 'b', 'c'].entries()) expect(schedule.add(i, key)).toBe(true);
    expect([schedule.add(0, 'd'), schedule.add(0, 'a'), schedule.size]).toEqual([false, true, 3]);
    expect([schedule.pollDue(5), schedule.pollDue(5), schedule.pollDue(5)]).toEqual(['a', 'b', undefined]);
    expect(schedule.nextDelay(5)).toBe(IDLE);
    expect(schedule.remove('a')).toBe(true);
    schedule.succeeded(5, 'a', 5);
    expect([schedule.pollDue(5), schedule.remove('x'), schedule.size]).toEqual(['c', false, 2]);
    expect(start().nextDelay(0)).toBe(IDLE);
  });

  test('a day of 50 keys in virtual time: every hour, and none is ever lost for longer', () => {
    const rng = createSeededRng(3);
    const schedule = new RepublishSchedule(rng);
    const last = new Map<string, number>();
    for (let i = 0; i < 50; i++) schedule.add(0, `${i}`);
    let rounds = 0;
    let gap = 0;
    for (let now = 0; now < 24 * HOUR * 1000; now += Math.max(1, schedule.nextDelay(now)))
      for (let key = schedule.pollDue(now); key !== undefined; key = schedule.pollDue(now)) {
        rounds++;
        gap = Math.max(gap, now - (last.get(key) ?? now));
        last.set(key, now);
        if (rng.u32() % 10 === 0) schedule.failed(now, key);
        else schedule.succeeded(now, key, 16);
      }
    expect(gap).toBeLessThanOrEqual(HOUR * 1000);
    expect(rounds).toBeGreaterThan(50 * 24);
    expect(rounds).toBeLessThan(50 * 24 * 1.4);
  });

  test('wrong options are refused by name', () => {
    expect(() => start({ lossMax: 0 })).toThrow(/lossMax/);
    expect(() => start({ intervalSecondsMin: 10, intervalSecondsMax: 5 })).toThrow(/intervalSecondsMin/);
    expect(() => start({ typo: 1 })).toThrow(/typo/);
  });
});

describe('rounds', () => {
  let net: Testnet;
  let node: Mainline;
  let client: PkarrClient;
  beforeAll(async () => {
    net = await createTestnet(8);
    node = await createMainline({ bootstrap: net.bootstrap, host: '127.0.0.1', port: 0, mode: 'client' });
    await node.bootstrapped();
    client = createPkarrClient({ mainline: node, relays: [] });
  });
  afterAll(async () => {
    await client.close();
    await node.close();
    await net.close();
  });

  const keypair = (fill: number) => Keypair.fromSecretKey(new Uint8Array(32).fill(fill));
  const sign = (fill: number, timestamp: bigint): SignedPacket =>
    new PacketBuilder().txt('@', `${timestamp}`, 60).timestamp(timestamp).sign(keypair(fill));
  /** The first `count` rounds of a republisher that was given these. */
  const rounds = async (count: number, ...given: (SignedPacket | string)[]) => {
    const events: RepublishEvent[] = [];
    const { promise, resolve } = resolvers();
    const republisher = createRepublisher({
      client,
      onRound: (event) => {
        events.push(event);
        if (events.length >= count) resolve();
      },
    });
    for (const one of given) republisher.add(one);
    await promise;
    const states = given.map((one) => republisher.state(typeof one === 'string' ? one : one.publicKey));
    await republisher.close();
    expect(() => republisher.add(given[0] as string)).toThrow(/closed/);
    return { events, states };
  };
  const resolvers = () => {
    let resolve = (): void => {};
    const promise = new Promise<void>((done) => {
      resolve = done;
    });
    return { promise, resolve };
  };

  test('write a packet that nobody holds', async () => {
    const packet = sign(1, 10n);
    const { events, states } = await rounds(1, packet);
    expect(events).toMatchObject([{ kind: 'written' }]);
    expect(states[0]?.copies).toBeGreaterThanOrEqual(1);
    expect((await net.nodes[4]?.getMutableMostRecent(packet.publicKey.bytes))?.seq).toBe(10n);
  });

  test('keep the newer packet of the owner instead of an old one', async () => {
    const [old, newer] = [sign(2, 10n), sign(2, 20n)];
    await net.nodes[1]?.putMutable(newer.toItem());
    const { events } = await rounds(1, old);
    expect(events[0]).toMatchObject({ kind: 'written', packet: { timestamp: 20n } });
  });

  test('need no packet where the network has one, and say so where it has none', async () => {
    const held = sign(3, 10n);
    await net.nodes[1]?.putMutable(held.toItem());
    const { events } = await rounds(2, `${held.publicKey}`, `${keypair(4).publicKey}`);
    const kinds = events.map((event) => event.kind).sort();
    expect(kinds).toEqual(['failed', 'written']);
    expect(events.find((event) => event.kind === 'failed')).toMatchObject({
      error: { code: 'NO_RESPONSES' },
    });
  });

  test('end with close, however many run; a removed key has no more', async () => {
    const republisher = createRepublisher({ client, concurrencyMax: 2 });
    for (let i = 10; i < 20; i++) republisher.add(sign(i, 1n));
    expect(republisher.size).toBe(10);
    expect([republisher.remove(keypair(19).publicKey), republisher.remove(keypair(19).publicKey)]).toEqual([
      true,
      false,
    ]);
    await republisher.close();
    await republisher.close();
  });
});
