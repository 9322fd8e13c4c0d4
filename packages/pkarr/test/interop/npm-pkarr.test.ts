/**
 * The npm package pkarr over loopback, both directions, through our relay and through the DHT. It is installed by
 * test/interop/peers; where it is absent the tests are skipped aloud, and with MOLIA_INTEROP=require that is a failure.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { toHex } from '@molia/core';
import { createMainline, createTestnet, type Mainline, type Testnet } from '@molia/mainline/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPkarrClient, Keypair, PacketBuilder, type PkarrClient, textOf } from '../../src/index.ts';
import { createRelay, type Relay } from '../../src/relay/index.ts';

const required = process.env['MOLIA_INTEROP'] === 'require';
const peersDir = fileURLToPath(new URL('peers', import.meta.url));
if (required && !existsSync(`${peersDir}/node_modules/.package-lock.json`))
  spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: peersDir });
const hasPeer = existsSync(`${peersDir}/node_modules/pkarr`);
if (!hasPeer) console.warn(`skipped: the npm package pkarr is not installed (npm ci in ${peersDir})`);

test.runIf(required)('finds everything it needs, because MOLIA_INTEROP=require', () => {
  expect(hasPeer).toBe(true);
});

interface Shown {
  readonly status?: number;
  readonly key: string;
  readonly timestamp: string;
  readonly payload: string;
  readonly answers: readonly { name: string; type: string; ttl: number; data: unknown }[];
}

/** One verb of the other program, to its end. */
async function peer(...args: readonly string[]): Promise<Shown | null> {
  const child = spawn(process.execPath, [`${peersDir}/run.mjs`, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${err}`);
  return JSON.parse(out) as Shown | null;
}

describe.runIf(hasPeer)('with the npm package pkarr', () => {
  let net: Testnet;
  let node: Mainline;
  let relay: Relay;
  let overDht: PkarrClient;
  let overRelay: PkarrClient;
  beforeAll(async () => {
    net = await createTestnet(8);
    node = await createMainline({ bootstrap: net.bootstrap, host: '127.0.0.1', port: 0, mode: 'client' });
    await node.bootstrapped();
    relay = await createRelay({ mainline: node, port: 0, requestsPerSecond: 0, lookupsPerSecond: 0 });
    overDht = createPkarrClient({ mainline: node, relays: [] });
    overRelay = createPkarrClient({ relays: [relay.url] });
  });
  afterAll(async () => {
    await Promise.all([overDht.close(), overRelay.close()]);
    await relay.close();
    await node.close();
    await net.close();
  });

  const seed = (fill: number) => new Uint8Array(32).fill(fill);
  const ours = (fill: number) =>
    new PacketBuilder()
      .txt('_t', 'from molia', 60)
      .a('@', '192.0.2.1', 300)
      .cname('www', `${Keypair.fromSecretKey(seed(fill)).publicKey}`, 60)
      .https('@', 1, '.', 60, { alpn: ['h2'], port: 8443 })
      .sign(Keypair.fromSecretKey(seed(fill)));
  /** What it reads of ours: names written out, though we compress them. */
  const readByPeer = (key: string) => [
    { name: `_t.${key}`, type: 'TXT', ttl: 60, data: 'from molia' },
    { name: key, type: 'A', ttl: 300, data: '192.0.2.1' },
    { name: `www.${key}`, type: 'CNAME', ttl: 60, data: key },
    expect.objectContaining({ name: key, ttl: 60 }),
  ];

  test('it publishes through our relay, and we resolve over the relay and the DHT', async () => {
    const put = await peer('relay-put', relay.url, toHex(seed(1)));
    expect(put?.status).toBe(204);
    for (const client of [overRelay, overDht]) {
      const packet = await client.resolveMostRecent(put?.key as string);
      expect(toHex(packet?.toRelayPayload() as Uint8Array)).toBe(put?.payload);
      expect(textOf(packet?.resourceRecords('_t')[0]?.data as never)).toBe('from npm');
    }
  });

  test('we publish, and it resolves through our relay', async () => {
    const packet = ours(2);
    await overDht.publish(packet);
    const found = await peer('relay-get', relay.url, `${packet.publicKey}`);
    expect(found).toMatchObject({ key: `${packet.publicKey}`, timestamp: `${packet.timestamp}` });
    expect(found?.payload).toBe(toHex(packet.toRelayPayload()));
    expect(found?.answers).toEqual(readByPeer(`${packet.publicKey}`));
  });

  test('it publishes in the DHT, and we resolve', async () => {
    const put = await peer('dht-put', net.bootstrap[0] as string, toHex(seed(3)));
    for (const client of [overDht, overRelay]) {
      const packet = await client.resolveMostRecent(put?.key as string);
      expect(toHex(packet?.toRelayPayload() as Uint8Array)).toBe(put?.payload);
    }
  });

  test('we publish over the relay, and it resolves in the DHT', async () => {
    const packet = ours(4);
    await overRelay.publish(packet);
    const found = await peer('dht-get', net.bootstrap[0] as string, `${packet.publicKey}`);
    expect(found?.payload).toBe(toHex(packet.toRelayPayload()));
    expect(found?.answers).toEqual(readByPeer(`${packet.publicKey}`));
  });
});
