/** Molia as its users get it: `createTestnet` and `createNode`, every RPC inside a WireGuard session. */
import { createNode, createTestnet } from '@molia/dht';
import type { Driver } from '../driver.ts';

export const driver: Driver = {
  name: 'molia',
  encrypted: true,
  async host(count) {
    // One client asks at full speed here; the default protects a node from exactly that.
    const net = await createTestnet(count, { limits: { peerUnitsPerSecond: 1_000_000_000 } });
    return { bootstrap: [...net.seeds], close: () => net.close() };
  },
  async client(bootstrap) {
    const seeds = bootstrap as string[];
    // A client stores nothing itself, as hyperdht's does not: every get asks the network.
    const node = await createNode({ listen: ['127.0.0.1:0'], seeds, client: true });
    await node.joinBootstrap();
    const first = seeds[0] as string;
    return {
      put: async (value) => (await node.put(value)).key,
      get: (key) => node.get(key as string),
      lookup: async (target) => {
        if ((await node.lookup(target)).contacts.length === 0) throw new Error('nothing found');
      },
      ping: async () => {
        await node.ping(first);
      },
      findNode: async (target) => {
        await node.findNode(first, target);
      },
      close: () => node.close(),
    };
  },
};
