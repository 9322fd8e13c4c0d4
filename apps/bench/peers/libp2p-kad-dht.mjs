/** @libp2p/kad-dht over TCP, Noise and Yamux, in server mode on loopback, connection limits lifted. */
import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@chainsafe/libp2p-yamux';
import { identify } from '@libp2p/identify';
import { kadDHT } from '@libp2p/kad-dht';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';

// The library calls Promise.withResolvers, which Node 20 does not have.
Promise.withResolvers ??= () => {
  const out = {};
  out.promise = new Promise((resolve, reject) => Object.assign(out, { resolve, reject }));
  return out;
};

const accept = async () => {};
const first = (_key, _records) => 0;
const start = () =>
  createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: {
      maxConnections: 2000,
      inboundConnectionThreshold: 10000,
      maxIncomingPendingConnections: 2000,
    },
    services: {
      identify: identify(),
      ping: ping(),
      dht: kadDHT({
        protocol: '/molia-bench/kad/1.0.0',
        clientMode: false,
        peerInfoMapper: (info) => info,
        validators: { bench: accept },
        selectors: { bench: first },
      }),
    },
  });

export const driver = {
  name: '@libp2p/kad-dht',
  encrypted: true,
  async host(count) {
    const nodes = [];
    for (let i = 0; i < count; i++) {
      const node = await start();
      if (nodes.length > 0) await node.dial(nodes[0].getMultiaddrs()[0]);
      nodes.push(node);
    }
    // Every node looks for itself once, as its own periodic self-query would do after a while.
    for (const node of nodes)
      for await (const _ of node.services.dht.getClosestPeers(node.peerId.toMultihash().bytes, {
        signal: AbortSignal.timeout(20_000),
      })) {
        // Only the table that fills on the way matters.
      }
    return {
      bootstrap: nodes.slice(0, 3).map((n) => n.getMultiaddrs()[0].toString()),
      close: () => Promise.all(nodes.map((n) => n.stop())),
    };
  },
  async client(bootstrap) {
    const node = await start();
    for (const address of bootstrap) await node.dial(multiaddr(address));
    const target = multiaddr(bootstrap[0]);
    const limit = () => ({ signal: AbortSignal.timeout(30_000) });
    const dht = node.services.dht;
    for await (const _ of dht.getClosestPeers(node.peerId.toMultihash().bytes, limit())) {
      // Fills the table.
    }
    let serial = 0;
    return {
      async put(value) {
        const key = `/bench/${process.pid}-${serial++}`;
        await node.contentRouting.put(new TextEncoder().encode(key), value, limit());
        return key;
      },
      async get(key) {
        for await (const event of dht.get(new TextEncoder().encode(key), limit()))
          if (event.name === 'VALUE') return event.value;
        throw new Error('not found');
      },
      async lookup(bytes) {
        let found = 0;
        for await (const event of dht.getClosestPeers(bytes, limit()))
          if (event.name === 'FINAL_PEER') found++;
        if (found === 0) throw new Error('nothing found');
      },
      async ping() {
        await node.services.ping.ping(target, limit());
      },
      close: () => node.stop(),
    };
  },
};
