import { fork } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { createNode, createTestnet, type MoliaNode, type NodeEvent, type NodeOptions } from '../src/index.ts';
import { bundleSource } from './support/bundle.ts';

const open: { close(): Promise<void> }[] = [];
async function node(options: NodeOptions = {}): Promise<MoliaNode> {
  const one = await createNode({ listen: ['127.0.0.1:0'], ...options });
  open.push(one);
  return one;
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});
const seedOf = (one: MoliaNode) => one.seedStrings()[0] as string;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

async function until(done: () => boolean, timeoutMs: number): Promise<void> {
  for (const startedAt = Date.now(); !done() && Date.now() - startedAt < timeoutMs; ) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(done()).toBe(true);
}

describe('a node', () => {
  it('finds its network again by itself when the seed comes back', async () => {
    const identity = new Uint8Array(32).fill(3);
    const seed = await node({ identity });
    const { port } = seed.addresses[0] as { port: number };
    const events: NodeEvent[] = [];
    const other = await node({ seeds: [seedOf(seed)], onEvent: (event) => events.push(event) });
    await other.joinBootstrap();
    await seed.close();
    await until(() => {
      void other.lookup('11'.repeat(32), { timeoutMs: 1000 }).catch(() => {});
      return other.state === 'isolated';
    }, 10_000);
    const back = await node({ identity, listen: [`127.0.0.1:${port}`] });
    await until(() => other.state === 'ready' && back.state === 'ready', 10_000);
    expect(events.map(({ type }) => type)).toEqual(['joined', 'isolated', 'joined']);
    const { key } = await back.put('again');
    expect(text(await other.get(key))).toBe('again');
  });

  it('answers a peer no more than its units a second', async () => {
    const server = await node({ limits: { peerUnitsPerSecond: 100 } });
    const greedy = await node({ seeds: [seedOf(server)], client: true });
    await greedy.joinBootstrap();
    const asked = Array.from({ length: 300 }, () =>
      greedy.findNode(seedOf(server), '22'.repeat(32), { timeoutMs: 2000 }).then(
        () => true,
        () => false,
      ),
    );
    const answered = (await Promise.all(asked)).filter(Boolean).length;
    expect(answered).toBeGreaterThan(50);
    expect(answered).toBeLessThan(300);
    expect(server.stats().counters.kademlia['rate_limited']).toBeGreaterThan(0);
  });

  it('keeps trying a seed that is not there yet', async () => {
    const identity = new Uint8Array(32).fill(4);
    const early = await node({ identity });
    const { port } = early.addresses[0] as { port: number };
    const seed = seedOf(early);
    await early.close();
    const events: NodeEvent[] = [];
    const waiting = await node({ seeds: [seed], onEvent: (event) => events.push(event) });
    await until(() => waiting.state === 'isolated', 10_000);
    expect(events[0]).toMatchObject({
      type: 'alert',
      code: 'NO_PEERS',
      hint: expect.stringContaining('seed'),
    });
    await node({ identity, listen: [`127.0.0.1:${port}`] });
    await until(() => waiting.state === 'ready', 10_000);
  });

  it('serves and keeps its timers while garbage floods in', async () => {
    const target = await node();
    const friend = await node({ seeds: [seedOf(target)] });
    await friend.joinBootstrap();
    const { file, remove } = bundleSource(`
      import { createSocket } from 'node:dgram';
      const socket = createSocket('udp4');
      const bytes = Buffer.alloc(148, 1);
      bytes.writeUInt32LE(1, 0);
      process.on('message', (port) => {
        const burst = () => {
          for (let i = 0; i < 64; i++) socket.send(bytes, port, '127.0.0.1');
          setImmediate(burst);
        };
        socket.bind(0, '127.0.0.1', burst);
      });
    `);
    const flood = fork(file);
    try {
      let ticks = 0;
      const timer = setInterval(() => ticks++, 10);
      flood.send((target.addresses[0] as { port: number }).port);
      await until(() => (target.stats().counters.wireguard['drop_bad_mac1'] ?? 0) > 2000, 10_000);
      ticks = 0;
      const badMacs = () => target.stats().counters.wireguard['drop_bad_mac1'] ?? 0;
      const before = badMacs();
      const pings = Array.from({ length: 20 }, () => friend.ping(seedOf(target), { timeoutMs: 5000 }));
      const answered = (await Promise.allSettled(pings)).filter(({ status }) => status === 'fulfilled');
      await new Promise((resolve) => setTimeout(resolve, 1000));
      clearInterval(timer);
      expect(badMacs() - before).toBeGreaterThan(2000);
      expect(answered.length).toBeGreaterThan(10);
      expect(ticks).toBeGreaterThan(20);
      expect(target.stats().counters.shard['messagesSent']).toBeLessThan(1000);
    } finally {
      flood.kill('SIGKILL');
      await once(flood, 'exit');
      remove();
    }
  });
});

describe('a network of 16', () => {
  it('still returns everything when a third of it is gone', async () => {
    const net = await createTestnet(16);
    open.push(net);
    const keys = await Promise.all(
      Array.from({ length: 20 }, (_, i) => (net.nodes[i % 16] as MoliaNode).put(`v${i}`)),
    );
    await Promise.all([1, 4, 7, 10, 13].map((index) => (net.nodes[index] as MoliaNode).close()));
    const alive = net.nodes.filter((one) => one.state !== 'closed');
    expect(alive.length).toBe(11);
    for (const one of [alive[0], alive[5], alive[10]] as MoliaNode[]) {
      const values = await Promise.all(keys.map(({ key }) => one.get(key)));
      expect(values.map(text)).toEqual(keys.map((_, i) => `v${i}`));
    }
    const late = await net.addNode();
    expect(text(await late.get((keys[3] as { key: string }).key))).toBe('v3');
  });
});
