/** The relay over loopback, against a real network of nodes: the published API, byte for byte where it is one. */
import { createMainline, createTestnet, type Mainline, type Testnet } from '@molia/mainline/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMemoryCache, Keypair, PacketBuilder, type PacketCache, SignedPacket } from '../src/index.ts';
import { createRelay, type Relay, type RelayOptions } from '../src/relay/index.ts';

let net: Testnet;
let node: Mainline;
let relay: Relay;
let cache: PacketCache;
const open: Relay[] = [];
/** Without limits unless told otherwise: all requests come from one address. */
async function start(options: Partial<RelayOptions> = {}): Promise<Relay> {
  const made = await createRelay({
    mainline: node,
    port: 0,
    requestsPerSecond: 0,
    lookupsPerSecond: 0,
    ...options,
  });
  open.push(made);
  return made;
}
beforeAll(async () => {
  net = await createTestnet(8);
  node = await createMainline({ bootstrap: net.bootstrap, host: '127.0.0.1', port: 0, mode: 'client' });
  await node.bootstrapped();
  cache = createMemoryCache(100);
  relay = await start({ cache });
});
afterAll(async () => {
  await Promise.all(open.map((one) => one.close()));
  await node.close();
  await net.close();
});

let fill = 1;
const fresh = () => Keypair.fromSecretKey(new Uint8Array(32).fill(fill++));
const sign = (keypair: Keypair, text: string, timestamp?: bigint, ttl = 600) => {
  const builder = new PacketBuilder().txt('@', text, ttl);
  return (timestamp === undefined ? builder : builder.timestamp(timestamp)).sign(keypair);
};
const put = (packet: SignedPacket, headers: Record<string, string> = {}, at = relay) =>
  fetch(`${at.url}/${packet.publicKey}`, {
    method: 'PUT',
    headers,
    body: packet.toRelayPayload() as Uint8Array<ArrayBuffer>,
  });
const get = (key: unknown, headers: Record<string, string> = {}, at = relay) =>
  fetch(`${at.url}/${key}`, { headers });
const packetOf = async (keypair: Keypair, response: Response) =>
  SignedPacket.fromRelayPayload(keypair.publicKey, new Uint8Array(await response.arrayBuffer()));

describe('PUT', () => {
  test('stores in the DHT and says with how many nodes', async () => {
    const packet = sign(fresh(), 'put');
    const response = await put(packet);
    expect(response.status).toBe(204);
    expect(Number(response.headers.get('Pkarr-Dht-Stored-Nodes'))).toBeGreaterThanOrEqual(1);
    const item = await net.nodes[3]?.getMutableMostRecent(packet.publicKey.bytes);
    expect(item?.seq).toBe(packet.timestamp);
  });

  test('refuses an older one with 409, whether this relay knows or only the DHT', async () => {
    const keypair = fresh();
    expect((await put(sign(keypair, 'new', 2000n))).status).toBe(204);
    const old = await put(sign(keypair, 'old', 1000n));
    expect([old.status, old.headers.get('ETag')]).toEqual([409, '"2000"']);
    const other = await start();
    expect((await put(sign(keypair, 'old', 1000n), {}, other)).status).toBe(409);
    expect((await put(sign(keypair, 'new', 2000n), {}, other)).status).toBe(204);
  });

  test('keeps conditions: If-Match with the timestamp, If-Unmodified-Since with a date', async () => {
    const keypair = fresh();
    const second = 1_700_000_000_000_000n;
    expect((await put(sign(keypair, 'a', second))).status).toBe(204);
    expect((await put(sign(keypair, 'b', second + 5n), { 'If-Match': '17' })).status).toBe(412);
    expect((await put(sign(keypair, 'b', second + 5n), { 'If-Match': `"${second}"` })).status).toBe(204);
    expect((await put(sign(keypair, 'c', second + 9n), { 'If-Match': 'x' })).status).toBe(400);
    const date = (ms: bigint) => ({ 'If-Unmodified-Since': new Date(Number(ms / 1000n)).toUTCString() });
    expect((await put(sign(keypair, 'c', second + 9n), date(second - 2_000_000n))).status).toBe(412);
    expect((await put(sign(keypair, 'c', second + 9n), date(second))).status).toBe(204);
    const other = await start();
    expect((await put(sign(keypair, 'd', second + 11n), { 'If-Match': '17' }, other)).status).toBe(412);
  });

  test.each([
    ['no key in the path', 'nokey', new Uint8Array(80), 400],
    ['bytes that are missing', `${fresh().publicKey}`, new Uint8Array(71), 400],
    ['a wrong signature', `${fresh().publicKey}`, sign(fresh(), 'x').toRelayPayload(), 400],
    ['more than 1072 bytes', `${fresh().publicKey}`, new Uint8Array(1073), 413],
  ])('refuses %s', async (_, path, body, status) => {
    const response = await fetch(`${relay.url}/${path}`, {
      method: 'PUT',
      body: body as Uint8Array<ArrayBuffer>,
    });
    expect(response.status).toBe(status);
    expect(await response.text()).toMatch(/^[^\n]+\n$/);
  });

  test('a body without length stops being read at the limit', async () => {
    let sent = 0;
    const body = new ReadableStream({
      pull(controller) {
        sent += 4096;
        controller.enqueue(new Uint8Array(4096));
        if (sent > 1 << 26) controller.close();
      },
    });
    const init = { method: 'PUT', body, duplex: 'half' } as RequestInit;
    const status = await fetch(`${relay.url}/${fresh().publicKey}`, init).then(
      (response) => response.status,
      () => 'the connection was closed',
    );
    expect([413, 'the connection was closed']).toContain(status);
    expect(sent).toBeLessThan(1 << 26);
  });
});

describe('GET', () => {
  test('answers with the payload, its type and what caches need', async () => {
    const keypair = fresh();
    const packet = sign(keypair, 'cached', 1_700_000_000_000_001n);
    await put(packet);
    const response = await get(keypair.publicKey);
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/pkarr.org/relays#payload',
      'last-modified': 'Tue, 14 Nov 2023 22:13:20 GMT',
      etag: '"1700000000000001"',
      'access-control-allow-origin': '*',
    });
    expect(Date.parse(response.headers.get('memento-datetime') ?? '')).toBeGreaterThan(1.7e12);
    const age = Number(/^public, max-age=(\d+)$/.exec(response.headers.get('cache-control') ?? '')?.[1]);
    expect(age).toBeGreaterThan(500);
    expect(age).toBeLessThanOrEqual(600);
    expect((await packetOf(keypair, response)).isSameAs(packet)).toBe(true);
  });

  test('finds in the DHT what it does not hold, and keeps it', async () => {
    const keypair = fresh();
    const packet = sign(keypair, 'elsewhere');
    await net.nodes[2]?.putMutable(packet.toItem());
    const cacheOnly = await get(`${keypair.publicKey}?policy=CacheOnly`);
    expect(cacheOnly.status).toBe(404);
    expect((await get(keypair.publicKey)).status).toBe(200);
    expect((await get(`${keypair.publicKey}?policy=CacheOnly`)).status).toBe(200);
    const newer = sign(keypair, 'newer');
    await net.nodes[2]?.putMutable(newer.toItem());
    const network = await get(`${keypair.publicKey}?policy=NetworkOnly`);
    expect((await packetOf(keypair, network)).isSameAs(newer)).toBe(true);
    expect(cache.get(`${keypair.publicKey}`)?.isSameAs(newer)).toBe(true);
  });

  test('says 304 to who has it: by date with all microseconds, by tag', async () => {
    const keypair = fresh();
    await put(sign(keypair, 'x', 1_700_000_000_000_001n));
    const since = (ms: number) => ({ 'If-Modified-Since': new Date(ms).toUTCString() });
    expect((await get(keypair.publicKey, since(1_700_000_000_000))).status).toBe(200);
    const unchanged = await get(keypair.publicKey, since(1_700_000_001_000));
    expect([unchanged.status, unchanged.headers.get('ETag')]).toEqual([304, '"1700000000000001"']);
    expect(unchanged.headers.get('Memento-Datetime')).not.toBeNull();
    expect((await get(keypair.publicKey, { 'If-None-Match': 'W/"1", "1700000000000001"' })).status).toBe(304);
    expect((await get(keypair.publicKey, { 'If-None-Match': '"1"', ...since(2e12) })).status).toBe(200);
    expect((await get(keypair.publicKey, { 'If-Modified-Since': 'yesterday' })).status).toBe(200);
  });

  test('says 404 when nobody has it, and names the number of an item that is no packet', async () => {
    const keypair = fresh();
    const nothing = await get(keypair.publicKey);
    expect([nothing.status, nothing.headers.get('Pkarr-Invalid-Signed-Packet-Seq')]).toEqual([404, null]);
    const { signItem } = await import('@molia/mainline');
    await node.putMutable(signItem(keypair.secretKey(), new TextEncoder().encode('4:junk'), 77n));
    for (const policy of ['CacheFirst', 'NetworkOnly']) {
      const junk = await get(`${keypair.publicKey}?policy=${policy}`);
      expect([junk.status, junk.headers.get('Pkarr-Invalid-Signed-Packet-Seq')]).toEqual([404, '77']);
    }
  });

  test('refuses what it does not know', async () => {
    expect((await get('nokey')).status).toBe(400);
    expect((await get(`${fresh().publicKey}?policy=Sometimes`)).status).toBe(400);
    expect((await fetch(`${relay.url}/${fresh().publicKey}`, { method: 'POST' })).status).toBe(405);
    expect((await fetch(`${relay.url}/`, { method: 'PUT' })).status).toBe(405);
  });

  test('says 503 when the DHT is not there', async () => {
    const lonely = await createMainline({ bootstrap: [], host: '127.0.0.1', port: 0 });
    const other = await start({ mainline: lonely });
    const keypair = fresh();
    expect((await get(keypair.publicKey, {}, other)).status).toBe(503);
    expect((await put(sign(keypair, 'x'), {}, other)).status).toBe(500);
    expect((await get('readyz', {}, other)).status).toBe(503);
    expect((await get('livez', {}, other)).status).toBe(200);
    await other.close();
    await lonely.close();
  });

  test('looks a packet up again that it has not seen for a while', async () => {
    const keypair = fresh();
    const [old, newer] = [sign(keypair, 'old'), sign(keypair, 'newer')];
    cache.set(`${keypair.publicKey}`, old.withLastSeen(Date.now() - 400_000));
    await net.nodes[1]?.putMutable(newer.toItem());
    expect((await packetOf(keypair, await get(keypair.publicKey))).isSameAs(old)).toBe(true);
    await expect
      .poll(() => cache.get(`${keypair.publicKey}`)?.isSameAs(newer), { timeout: 20_000 })
      .toBe(true);
    expect(relay.counters()['refreshes']).toBeGreaterThan(0);
  });
});

describe('around it', () => {
  test('pages of any origin may use it', async () => {
    const response = await fetch(`${relay.url}/${fresh().publicKey}`, { method: 'OPTIONS' });
    expect(response.status).toBe(204);
    expect(response.headers.get('Access-Control-Allow-Methods')).toContain('PUT');
    expect(response.headers.get('Access-Control-Expose-Headers')).toContain('Pkarr-Dht-Stored-Nodes');
  });

  test('health and the page tell how it does', async () => {
    expect(await (await get('healthz')).json()).toMatchObject({ ready: true, closing: false });
    const page = await get('');
    expect(page.headers.get('Content-Type')).toContain('text/html');
    expect(await page.text()).toMatch(/contacts in the DHT<\/th><td>\d+/);
    const head = await fetch(`${relay.url}/`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  test('an address has its share of requests, and of those that ask the DHT', async () => {
    const strict = await start({
      requestsPerSecond: 0.001,
      requestsBurst: 4,
      lookupsPerSecond: 0.001,
      lookupsBurst: 1,
    });
    expect((await get(fresh().publicKey, {}, strict)).status).toBe(404);
    const second = await get(fresh().publicKey, {}, strict);
    expect([second.status, Number(second.headers.get('Retry-After')) > 100]).toEqual([429, true]);
    expect((await put(sign(fresh(), 'x'), {}, strict)).status).toBe(429);
    expect((await get('', {}, strict)).status).toBe(200);
    expect((await get('', {}, strict)).status).toBe(429);
    expect((await get('livez', {}, strict)).status).toBe(200);
  });

  test('a trusted proxy names the address; nobody else does', async () => {
    const behind = await start({
      trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'],
      requestsPerSecond: 0.001,
      requestsBurst: 1,
    });
    const from = async (list: string, at = behind) => (await get('', { 'X-Forwarded-For': list }, at)).status;
    expect(await from('192.0.2.1')).toBe(200);
    expect(await from('192.0.2.1')).toBe(429);
    // What stands left of the first stranger is the stranger's own invention.
    expect(await from('198.51.100.9, 192.0.2.1, 10.1.2.3')).toBe(429);
    expect(await from('192.0.2.2')).toBe(200);
    expect(await from('2001:db8::1')).toBe(200);
    expect(await from('2001:db8:0:0:ffff::2')).toBe(429);
    expect(await from('[2001:db8:0:1::1]:443')).toBe(200);
    const direct = await start({ requestsPerSecond: 0.001, requestsBurst: 1 });
    expect(await from('192.0.2.1', direct)).toBe(200);
    expect(await from('192.0.2.2', direct)).toBe(429);
    await expect(createRelay({ mainline: node, port: 0, trustedProxies: ['proxy'] })).rejects.toThrow(
      /proxy/,
    );
  });

  test('wrong options are refused by name, a taken port with the system error', async () => {
    await expect(createRelay({ mainline: node, typo: 1 } as never)).rejects.toThrow(/typo/);
    await expect(createRelay({} as never)).rejects.toThrow(/mainline/);
    await expect(createRelay({ mainline: node, requestsPerSecond: -1 })).rejects.toThrow(/requestsPerSecond/);
    await expect(createRelay({ mainline: node, ttlSecondsMin: 10, ttlSecondsMax: 5 })).rejects.toThrow(/ttl/);
    const port = Number(new URL(relay.url).port);
    await expect(createRelay({ mainline: node, port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  test('closing lets a request finish, refuses new ones, and may be repeated', async () => {
    const other = await start();
    const keypair = fresh();
    const running = put(sign(keypair, 'last'), {}, other);
    await expect.poll(() => other.counters()['puts'], { timeout: 20_000 }).toBe(1);
    const closed = other.close();
    expect((await running).status).toBe(204);
    await closed;
    await other.close();
    await expect(get('livez', {}, other)).rejects.toThrow();
  });
});
