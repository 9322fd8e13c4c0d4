/** From a key to an answer: a packet published into a Mainline network on loopback, and found by who asks the name server. */
import { Resolver } from 'node:dns/promises';
import { createMainline, createTestnet, type Mainline, type Testnet } from '@molia/mainline/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPkarrClient, Keypair, PacketBuilder, type PkarrClient } from '../../src/index.ts';
import { createNameServer, type NameServer } from '../../src/name-server/index.ts';

let net: Testnet;
let nodes: Mainline[];
let publisher: PkarrClient;
let reader: PkarrClient;
let server: NameServer;
let resolver: Resolver;
beforeAll(async () => {
  net = await createTestnet(12);
  const options = { bootstrap: net.bootstrap, host: '127.0.0.1', port: 0, mode: 'client' } as const;
  nodes = [await createMainline(options), await createMainline(options)];
  publisher = createPkarrClient({ mainline: nodes[0], relays: [] });
  reader = createPkarrClient({ mainline: nodes[1], relays: [] });
  server = await createNameServer({ port: 0, client: reader });
  resolver = new Resolver({ timeout: 20_000, tries: 2 });
  resolver.setServers([`127.0.0.1:${server.address.port}`]);
});
afterAll(async () => {
  await server?.close();
  await Promise.all([publisher?.close(), reader?.close()]);
  for (const node of nodes ?? []) await node.close();
  await net?.close();
});

describe('a published packet', () => {
  test('is answered from, aliases into other published packets included', async () => {
    const [site, cold] = [Keypair.random(), Keypair.random()];
    await publisher.publish(
      new PacketBuilder().a('@', '192.0.2.1', 300).txt('_info', 'from the DHT', 300).sign(site),
    );
    await publisher.publish(new PacketBuilder().cname('www', `${site.publicKey}`, 300).sign(cold));
    expect(await resolver.resolve4(`${site.publicKey}`)).toEqual(['192.0.2.1']);
    expect(await resolver.resolveTxt(`_info.${site.publicKey}.key`)).toEqual([['from the DHT']]);
    expect(await resolver.resolve4(`www.${cold.publicKey}`)).toEqual(['192.0.2.1']);
    expect(server.stats().counters['keyLookups']).toBe(2);
  });

  test('that nobody published is NXDOMAIN', async () => {
    await expect(resolver.resolve4(`${Keypair.random().publicKey}`)).rejects.toMatchObject({
      code: 'ENOTFOUND',
    });
  });
});
