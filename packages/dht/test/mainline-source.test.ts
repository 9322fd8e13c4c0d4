/** First contacts through a Mainline network of this process: publishing, finding, and what false records are worth. */
import { blake3DeriveKey, createIdentity, nobleCurves } from '@molia/core';
import { encodeBencode, signedBuffer, signItem } from '@molia/mainline';
import { createMainline, createTestnet as createMainlineTestnet, type Testnet } from '@molia/mainline/node';
import { createNodeRecord, EndpointKind } from '@molia/wire';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createNode, type MoliaNode, type NodeEvent, type NodeOptions } from '../src/index.ts';

let net: Testnet;
beforeAll(async () => {
  net = await createMainlineTestnet(8);
}, 60_000);
afterAll(() => net.close());

const open: MoliaNode[] = [];
async function node(options: NodeOptions): Promise<{ molia: MoliaNode; events: NodeEvent[] }> {
  const events: NodeEvent[] = [];
  const molia = await createNode({
    listen: ['127.0.0.1:0'],
    onEvent: (event) => events.push(event),
    ...options,
    mainline: { nodes: net.bootstrap, ...options.mainline },
  });
  open.push(molia);
  return { molia, events };
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

async function until(done: () => boolean): Promise<void> {
  for (const startedAt = Date.now(); !done() && Date.now() - startedAt < 30_000; )
    await new Promise((resolve) => setTimeout(resolve, 20));
  expect(done()).toBe(true);
}
const published = (events: readonly NodeEvent[]): boolean => events.some(({ type }) => type === 'published');
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe('bootstrap through the Mainline DHT', () => {
  it('finds the nodes of a network that publish, with no seed at all', async () => {
    const network = 'a network without seeds';
    const a = await node({ network, mainline: { publish: true } });
    await until(() => published(a.events));
    const b = await node({ network, bootstrap: ['mainline:network'], mainline: { publish: true } });
    await until(() => published(b.events));
    await until(() => b.molia.state === 'ready');
    const { key } = await a.molia.put('found without a seed');
    expect(text(await b.molia.get(key))).toBe('found without a seed');
    // The list holds both now: a third one that finds them has two contacts.
    const c = await node({ network, bootstrap: ['mainline:network'] });
    await until(() => c.molia.peers().length === 2);
  }, 90_000);

  it('finds one node by its key alone, wherever it is now', async () => {
    const a = await node({ mainline: { publish: true } });
    await until(() => published(a.events));
    const b = await node({ bootstrap: [`mainline:${a.molia.publicKey}`] });
    await until(() => b.molia.state === 'ready');
    expect((await b.molia.ping(a.molia.publicKey)).publicKey).toBe(a.molia.publicKey);
  }, 90_000);

  it('does not publish unless asked to, and other networks find nothing', async () => {
    const a = await node({ network: 'silent', bootstrap: ['mainline:network'] });
    const b = await node({ network: 'loud', mainline: { publish: true } });
    await until(() => published(b.events) && a.events.some(({ type }) => type === 'isolated'));
    expect(a.events.filter((event) => event.type === 'alert').map(({ code }) => code)).toEqual(['NO_PEERS']);
    const c = await node({
      network: 'silent',
      bootstrap: [`mainline:${a.molia.publicKey}`],
      autoJoin: false,
    });
    await expect(c.molia.joinBootstrap()).rejects.toMatchObject({ code: 'NO_PEERS' });
    const d = await node({
      network: 'silent',
      bootstrap: [`mainline:${b.molia.publicKey}`],
      autoJoin: false,
    });
    await expect(d.molia.joinBootstrap()).rejects.toMatchObject({ code: 'NO_PEERS' });
  }, 90_000);

  it('takes no record that its node did not sign, is old, or names nobody', async () => {
    const network = 'forged';
    const salt = blake3DeriveKey('molia 2026 mainline salt', new TextEncoder().encode(network)).slice(0, 16);
    const victim = await node({ network });
    const { port } = victim.molia.addresses[0] as { port: number };
    const endpoint = new Uint8Array([127, 0, 0, 1, port >>> 8, port & 255]);
    const endpoints = [{ kind: EndpointKind.UDP, endpoint, priority: 0 }];
    const nowSecs = Math.floor(Date.now() / 1000);
    const dht = await createMainline({ bootstrap: net.bootstrap, port: 0, mode: 'client' });
    const other = createIdentity(nobleCurves, new Uint8Array(32).fill(9));
    const values = [
      // Another node's record; one that expired; nothing readable.
      createNodeRecord(other, { sequence: nowSecs, endpoints }),
      createNodeRecord(createIdentity(nobleCurves, new Uint8Array(32).fill(2)), {
        sequence: nowSecs - 2 * 86_400,
        endpoints,
      }),
      new Uint8Array(40).fill(1),
    ];
    for (const [i, value] of values.entries()) {
      const seed = new Uint8Array(32).fill(i + 1);
      const item = signItem(seed, encodeBencode(value), 1n, salt);
      expect(item.signature).toEqual(
        createIdentity(nobleCurves, seed).sign(signedBuffer(item.value, 1n, salt)),
      );
      expect((await dht.putMutable(item)).storedAt).toBeGreaterThan(0);
      const key = Buffer.from(item.key).toString('hex');
      const asker = await node({ network, bootstrap: [`mainline:${key}`], autoJoin: false });
      await expect(asker.molia.joinBootstrap(undefined, { timeoutMs: 30_000 })).rejects.toMatchObject({
        code: 'NO_PEERS',
      });
    }
    await dht.close();
  }, 90_000);

  it('says so when the Mainline DHT cannot be asked, and closes while it searches', async () => {
    const unused = await createMainline({ bootstrap: [], host: '127.0.0.1', port: 0 });
    const { port } = unused.info().localAddress;
    await unused.close();
    const nodes = [`127.0.0.1:${port}`];
    const a = await node({ bootstrap: ['mainline:network'], mainline: { nodes, publish: true } });
    await until(() => a.events.filter(({ type }) => type === 'alert').length >= 2);
    const b = await node({ bootstrap: ['mainline:network'], mainline: { publish: true } });
    await b.molia.close();
    expect(b.events.at(-1)?.type).toBe('closed');
  }, 90_000);

  it('refuses wrong options by name', () => {
    const refused = (options: object): void => {
      expect(() => createNode(options as NodeOptions)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^INVALID_/) }),
      );
    };
    refused({ bootstrap: ['mainline:'] });
    refused({ bootstrap: ['dns:example.org'] });
    refused({ bootstrap: [`mainline:${'A'.repeat(64)}`] });
    refused({ mainline: { nodes: ['nowhere'] } });
    refused({ mainline: { publish: 1 } });
    refused({ mainline: { typo: true } });
  });
});
