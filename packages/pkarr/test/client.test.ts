/** The client over a network of nodes and real relays on loopback: policies, publishing, races, aborting, closing. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { signItem } from '@molia/mainline';
import { createMainline, createTestnet, type Mainline, type Testnet } from '@molia/mainline/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createMemoryCache,
  createPkarrClient,
  Keypair,
  PacketBuilder,
  type PkarrClient,
  type PkarrClientOptions,
  type SignedPacket,
} from '../src/index.ts';
import { createRelay, type Relay } from '../src/relay/index.ts';

let net: Testnet;
let node: Mainline;
let relay: Relay;
/** A relay that takes requests and never answers. */
let silent: Server;
let silentUrl = '';
/** A relay that says what it is told to. */
let puppet: Server;
let puppetUrl = '';
let puppetSays: { status: number; headers?: Record<string, string>; body?: Uint8Array } = { status: 500 };
const clients: PkarrClient[] = [];
const client = (options: PkarrClientOptions = {}): PkarrClient => {
  const made = createPkarrClient({ mainline: node, relays: [], ...options });
  clients.push(made);
  return made;
};
const listen = async (server: Server): Promise<string> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

beforeAll(async () => {
  net = await createTestnet(8);
  node = await createMainline({ bootstrap: net.bootstrap, host: '127.0.0.1', port: 0, mode: 'client' });
  await node.bootstrapped();
  relay = await createRelay({ mainline: node, port: 0, requestsPerSecond: 0, lookupsPerSecond: 0 });
  silent = createServer(() => {});
  silentUrl = await listen(silent);
  puppet = createServer((_, response) => {
    response.writeHead(puppetSays.status, puppetSays.headers).end(puppetSays.body);
  });
  puppetUrl = await listen(puppet);
});
afterAll(async () => {
  await Promise.all(clients.map((one) => one.close()));
  await relay.close();
  for (const server of [silent, puppet]) {
    server.closeAllConnections();
    server.close();
  }
  await node.close();
  await net.close();
});

let fill = 1;
const fresh = () => Keypair.fromSecretKey(new Uint8Array(32).fill(fill++));
const sign = (keypair: Keypair, text: string, timestamp?: bigint) => {
  const builder = new PacketBuilder().txt('@', text, 600);
  return (timestamp === undefined ? builder : builder.timestamp(timestamp)).sign(keypair);
};
const same = (found: SignedPacket | undefined, packet: SignedPacket) => found?.isSameAs(packet);

describe('publish and resolve', () => {
  test.each(['the DHT', 'a relay', 'both'] as const)('over %s', async (by) => {
    const options = {
      'the DHT': {},
      'a relay': { mainline: undefined, relays: [relay.url] },
      both: { relays: [`${relay.url}/`, silentUrl], relayTimeoutMs: 1500 },
    }[by];
    const packet = sign(fresh(), by);
    const outcome = await client(options).publish(packet);
    expect(outcome.storedAt).toBeGreaterThanOrEqual(1);
    expect([outcome.takenBy, outcome.askedOf]).toEqual(by === 'both' ? [2, 3] : [1, 1]);
    for (const policy of ['CacheFirst', 'NetworkOnly'] as const)
      expect(same(await client(options).resolve(packet.publicKey.toUri(), { policy }), packet)).toBe(true);
    expect(same(await client(options).resolveMostRecent(packet.publicKey), packet)).toBe(true);
  });

  test('nobody has it: undefined', async () => {
    const { publicKey } = fresh();
    const both = client({ relays: [relay.url] });
    expect(await both.resolve(publicKey)).toBeUndefined();
    expect(await both.resolve(publicKey, { policy: 'CacheOnly' })).toBeUndefined();
    expect(await both.resolveMostRecent(publicKey)).toBeUndefined();
  });

  test('the cache serves while its TTL lasts, and never goes backwards', async () => {
    const keypair = fresh();
    const [old, newer] = [sign(keypair, 'old', 1000n), sign(keypair, 'newer', 2000n)];
    const cache = createMemoryCache(10);
    const mine = client({ cache });
    await client().publish(old);
    expect(same(await mine.resolve(keypair.publicKey), old)).toBe(true);
    await client().publish(newer);
    expect(same(await mine.resolve(keypair.publicKey), old)).toBe(true);
    expect(same(mine.cached(keypair.publicKey), old)).toBe(true);
    cache.set(`${keypair.publicKey}`, old.withLastSeen(0));
    expect(same(await mine.resolve(keypair.publicKey, { policy: 'CacheOnly' }), old)).toBe(true);
    expect(same(await mine.resolve(keypair.publicKey), newer)).toBe(true);
    // A cache ahead of the network stays ahead.
    const ahead = sign(keypair, 'ahead', 3000n).withLastSeen(0);
    cache.set(`${keypair.publicKey}`, ahead);
    expect(await mine.resolve(keypair.publicKey)).toBeUndefined();
    expect(same(await mine.resolveMostRecent(keypair.publicKey), newer)).toBe(true);
    expect(same(mine.cached(keypair.publicKey), ahead)).toBe(true);
    await expect(mine.publish(newer)).rejects.toMatchObject({ code: 'NOT_MOST_RECENT' });
  });

  test('an expired packet that is still held is refreshed', async () => {
    const packet = sign(fresh(), 'held');
    const cache = createMemoryCache(10);
    for (const options of [{ cache }, { cache, mainline: undefined, relays: [relay.url] }]) {
      await client(options).publish(packet);
      cache.set(`${packet.publicKey}`, packet.withLastSeen(1_000_000));
      const found = await client(options).resolve(packet.publicKey);
      expect(same(found, packet)).toBe(true);
      expect(found?.lastSeen).toBeGreaterThan(1_000_000_000_000);
    }
  });

  test('an expired packet helps out only where that is allowed and nobody answers', async () => {
    const packet = sign(fresh(), 'stale').withLastSeen(Date.now() - 700_000);
    const cache = createMemoryCache(10);
    cache.set(`${packet.publicKey}`, packet);
    const dead = { mainline: undefined, relays: [puppetUrl], cache };
    puppetSays = { status: 500 };
    expect(same(await client({ ...dead, staleSecondsMax: 600 }).resolve(packet.publicKey), packet)).toBe(
      true,
    );
    await expect(client({ ...dead, staleSecondsMax: 60 }).resolve(packet.publicKey)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    puppetSays = { status: 404 };
    expect(await client({ ...dead, staleSecondsMax: 600 }).resolve(packet.publicKey)).toBeUndefined();
  });

  test('searches of one key at a time are one', async () => {
    const packet = sign(fresh(), 'shared');
    await client().publish(packet);
    const mine = client({ mainline: undefined, relays: [relay.url] });
    const before = relay.counters()['gets'] as number;
    const found = await Promise.all(Array.from({ length: 10 }, () => mine.resolve(packet.publicKey)));
    expect(found.every((one) => same(one, packet))).toBe(true);
    expect((relay.counters()['gets'] as number) - before).toBe(1);
  });

  test('an item that is no packet hides what is older', async () => {
    const keypair = fresh();
    await client().publish(sign(keypair, 'older', 5n));
    await node.putMutable(signItem(keypair.secretKey(), new TextEncoder().encode('4:junk'), 6n));
    for (const options of [{}, { mainline: undefined, relays: [relay.url] }])
      await expect(client(options).resolveMostRecent(keypair.publicKey)).rejects.toMatchObject({
        code: 'NEWEST_IS_NO_PACKET',
        seq: 6n,
      });
  });
});

describe('writers who meet', () => {
  test.each(['the DHT', 'a relay'])('over %s, a condition holds the second one off', async (by) => {
    const options = by === 'the DHT' ? {} : { mainline: undefined, relays: [relay.url] };
    const keypair = fresh();
    const first = sign(keypair, 'first', 100n);
    await client(options).publish(first);
    await client(options).publish(sign(keypair, 'second', 200n), { cas: 100n });
    await expect(client(options).publish(sign(keypair, 'third', 300n), { cas: 100n })).rejects.toMatchObject({
      code: 'CAS_FAILED',
    });
    await expect(client(options).publish(first)).rejects.toMatchObject({ code: 'NOT_MOST_RECENT' });
  });

  test('two writes at once are told apart from a newer one', async () => {
    const keypair = fresh();
    const running = client().publish(sign(keypair, 'one', 100n));
    await expect(client().publish(sign(keypair, 'two', 200n))).rejects.toMatchObject({
      code: 'CONCURRENT_WRITE',
    });
    await running;
  });
});

describe('relays that misbehave', () => {
  const told = () => client({ mainline: undefined, relays: [puppetUrl] });
  const packet = sign(fresh(), 'x');

  test.each([
    [409, 'NOT_MOST_RECENT'],
    [412, 'CAS_FAILED'],
    [428, 'CONCURRENT_WRITE'],
    [429, 'RATE_LIMITED'],
    [400, 'REJECTED'],
    [500, 'UNAVAILABLE'],
    [302, 'UNAVAILABLE'],
  ])('status %i of a PUT is %s', async (status, code) => {
    puppetSays = { status };
    await expect(told().publish(packet)).rejects.toMatchObject({ code });
  });

  test.each([
    ['a packet of another key', sign(fresh(), 'other').toRelayPayload()],
    ['nothing', new Uint8Array(0)],
    ['too much', new Uint8Array(5000)],
  ])('%s is no answer', async (_, body) => {
    puppetSays = { status: 200, body };
    await expect(told().resolve(packet.publicKey)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('one that counts wrongly counts as one', async () => {
    puppetSays = { status: 204, headers: { 'Pkarr-Dht-Stored-Nodes': '-5' } };
    expect((await told().publish(packet)).storedAt).toBe(1);
  });

  test('one that is silent is given up; others do not wait for it', async () => {
    const slow = client({ mainline: undefined, relays: [silentUrl], relayTimeoutMs: 50 });
    await expect(slow.resolve(packet.publicKey)).rejects.toMatchObject({ code: 'TIMEOUT' });
    await expect(slow.publish(packet)).rejects.toMatchObject({ code: 'TIMEOUT' });
    const held = sign(fresh(), 'held');
    await client().publish(held);
    const racing = client({ relays: [silentUrl], relayTimeoutMs: 600_000 });
    expect(same(await racing.resolve(held.publicKey), held)).toBe(true);
    await racing.close();
  });

  test('when all fail in different ways, the error holds each', async () => {
    puppetSays = { status: 500 };
    const two = client({ mainline: undefined, relays: [puppetUrl, 'http://127.0.0.1:9'] });
    const error = await two.resolve(packet.publicKey).catch((reason: unknown) => reason as Error);
    expect(error).toMatchObject({ code: 'NO_RESPONSES' });
    expect(((error as Error).cause as AggregateError).errors).toHaveLength(2);
  });
});

describe('aborting and closing', () => {
  test('an abort ends an operation with its reason, before or during it', async () => {
    const mine = client({ mainline: undefined, relays: [silentUrl] });
    const { publicKey } = fresh();
    await expect(mine.resolve(publicKey, { signal: AbortSignal.abort('early') })).rejects.toBe('early');
    for (const policy of ['CacheFirst', 'NetworkOnly'] as const) {
      const abort = new AbortController();
      const found = mine.resolve(publicKey, { policy, signal: abort.signal });
      abort.abort('late');
      await expect(found).rejects.toBe('late');
    }
    const abort = new AbortController();
    const published = mine.publish(sign(fresh(), 'x'), { signal: abort.signal });
    abort.abort('late');
    await expect(published).rejects.toBe('late');
  });

  test('one of two callers giving up does not end the search of the other', async () => {
    const packet = sign(fresh(), 'patient');
    await client().publish(packet);
    const mine = client();
    const abort = new AbortController();
    const [impatient, patient] = [
      mine.resolve(packet.publicKey, { signal: abort.signal }),
      mine.resolve(packet.publicKey, { signal: new AbortController().signal }),
    ];
    abort.abort('late');
    await expect(impatient).rejects.toBe('late');
    expect(same(await patient, packet)).toBe(true);
    expect(same(await mine.resolve(packet.publicKey), packet)).toBe(true);
  });

  test('closing ends what runs and leaves the node alone', async () => {
    const mine = createPkarrClient({ mainline: node, relays: [silentUrl] });
    const running = [mine.resolveMostRecent(fresh().publicKey), mine.publish(sign(fresh(), 'x'))];
    const ended = Promise.all([
      expect(running[0]).rejects.toMatchObject({ code: expect.stringMatching(/^(CLOSED|NO_RESPONSES)$/) }),
      // What the DHT took before counts.
      Promise.allSettled([running[1]]),
    ]);
    await mine.close();
    await mine.close();
    await ended;
    await expect(mine.resolve(fresh().publicKey)).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(mine.publish(sign(fresh(), 'x'))).rejects.toMatchObject({ code: 'CLOSED' });
    expect(await node.bootstrapped()).toBe(true);
  });

  test('wrong options are refused by name', () => {
    expect(() => createPkarrClient({ relays: [] })).toThrow(expect.objectContaining({ code: 'NO_NETWORK' }));
    expect(() => createPkarrClient({ relays: ['ftp://x'] })).toThrow(/ftp/);
    expect(() => createPkarrClient({ relays: ['x'] })).toThrow(/http or https/);
    expect(() => createPkarrClient({ typo: 1 } as never)).toThrow(/typo/);
    expect(() => createPkarrClient({ cachePacketsMax: -1 })).toThrow(/cachePacketsMax/);
    expect(() => createPkarrClient({ ttlSecondsMin: 10, ttlSecondsMax: 1 })).toThrow(/ttlSecondsMin/);
  });
});

describe('endpoints', () => {
  const targets = async (mine: PkarrClient, name: string, options = {}) => {
    const found = [];
    for await (const endpoint of mine.resolveEndpoints(name, options)) found.push(endpoint);
    return found;
  };

  test('come by priority, through aliases, with addresses, ports and keys', async () => {
    const [app, host] = [fresh(), fresh()];
    const mine = client();
    await mine.publish(
      new PacketBuilder()
        .https('@', 3, 'backup.example', 60, { port: 8443 })
        .https('@', 2, `${host.publicKey}`, 60)
        .https('@', 1, '.', 60, { port: 0, ipv4hint: ['192.0.2.9'] })
        .cname('www', `${app.publicKey}`, 60)
        .svcb('*.api', 1, 'one.example', 60)
        .sign(app),
    );
    await mine.publish(
      new PacketBuilder()
        .https('@', 1, '.', 60, { port: 7000 })
        .a('@', '192.0.2.1', 60)
        .aaaa('@', '2001:db8::1', 60)
        .sign(host),
    );
    const found = await targets(mine, `https://${app.publicKey}/path`);
    expect(found.map(({ publicKey, ...rest }) => ({ ...rest, key: `${publicKey}` }))).toEqual([
      {
        target: '.',
        domain: undefined,
        port: undefined,
        key: `${app.publicKey}`,
        addresses: ['192.0.2.9'],
        priority: 1,
        params: { port: 0, ipv4hint: ['192.0.2.9'] },
      },
      {
        target: '.',
        domain: undefined,
        port: 7000,
        key: `${host.publicKey}`,
        addresses: ['192.0.2.1', '2001:db8::1'],
        priority: 1,
        params: { port: 7000 },
      },
      {
        target: 'backup.example',
        domain: 'backup.example',
        port: 8443,
        key: `${app.publicKey}`,
        addresses: [],
        priority: 3,
        params: { port: 8443 },
      },
    ]);
    expect(await targets(mine, `www.${app.publicKey}`)).toHaveLength(3);
    const service = await targets(mine, `any.api.${app.publicKey}`, { type: 'SVCB' });
    expect(service.map(({ domain }) => domain)).toEqual(['one.example']);
    expect(await targets(mine, `nothing.${app.publicKey}`)).toEqual([]);
    await expect(targets(mine, 'example.com')).rejects.toMatchObject({ code: 'INVALID_KEY' });
  });

  test('a circle ends, and a record that leads nowhere does not hide the next', async () => {
    const [one, two, absent] = [fresh(), fresh(), fresh()];
    const mine = client();
    await mine.publish(
      new PacketBuilder()
        .https('@', 1, `${two.publicKey}`, 60)
        .https('@', 2, `${absent.publicKey}`, 60)
        .https('@', 3, 'last.example', 60)
        .sign(one),
    );
    await mine.publish(new PacketBuilder().https('@', 1, `${one.publicKey}`, 60).sign(two));
    expect((await targets(mine, `${one.publicKey}`)).map(({ domain }) => domain)).toContain('last.example');
    expect((await targets(mine, `${one.publicKey}`, { packetsMax: 1 })).map(({ domain }) => domain)).toEqual([
      'last.example',
    ]);
    await expect(targets(mine, `${one.publicKey}`, { packetsMax: 0 })).rejects.toThrow(/packetsMax/);
  });
});
