/** hyperdht as it comes: its own test network, one more node as the client. */
import DHT from 'hyperdht';
import createTestnet from 'hyperdht/testnet.js';

const FIND_NODE = 2; // dht-rpc's internal command

export const driver = {
  name: 'hyperdht',
  encrypted: false,
  async host(count) {
    const net = await createTestnet(count, { host: '127.0.0.1' });
    return { bootstrap: net.bootstrap, close: () => net.destroy() };
  },
  async client(bootstrap) {
    const node = new DHT({ bootstrap, host: '127.0.0.1' });
    await node.fullyBootstrapped();
    const first = bootstrap[0];
    return {
      async put(value) {
        return (await node.immutablePut(Buffer.from(value))).hash.toString('hex');
      },
      async get(key) {
        const found = await node.immutableGet(Buffer.from(key, 'hex'));
        if (!found) throw new Error('not found');
        return found.value;
      },
      async lookup(target) {
        const query = node.findNode(Buffer.from(target));
        await query.finished();
        if (query.closestReplies.length === 0) throw new Error('nothing found');
      },
      async ping() {
        await node.ping(first);
      },
      async findNode(target) {
        await node.request({ internal: true, command: FIND_NODE, target: Buffer.from(target) }, first);
      },
      close: () => node.destroy({ force: true }),
    };
  },
};
