/** Failures that no other test meets: a queue that is full, too few holders, a seed without address, a broken carrier. */
import type { Transport, TransportHost } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { createNode, type NodeEvent } from '../src/index.ts';

/** Carries nothing, and can be made to break. */
function brokenTransport(): { transport: Transport; fail: (error: Error) => void } {
  let host: TransportHost | undefined;
  const stats = { datagramsIn: 0, datagramsOut: 0, bytesIn: 0, bytesOut: 0, sendErrors: 0 };
  const transport: Transport = {
    apiVersion: 1,
    scheme: 'none',
    datagramBytesMax: 1280,
    async open(given) {
      host = given;
      return [{ family: 4, address: '127.0.0.1', port: 1 }];
    },
    send: () => undefined,
    stats: () => stats,
    close: async () => undefined,
  };
  return { transport, fail: (error) => host?.fail(error) };
}

describe('a node', () => {
  it('refuses operations beyond its queue with BUSY and runs those within it', async () => {
    const node = await createNode({
      listen: ['127.0.0.1:0'],
      limits: { operationsMax: 1, operationsQueuedMax: 2 },
    });
    const gone = await createNode({ listen: ['127.0.0.1:0'] });
    const [nobody] = gone.seedStrings() as [string];
    await gone.close();
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => node.ping(nobody)));
    const codes = results.map((result) => (result.status === 'rejected' ? result.reason.code : 'done'));
    expect(codes.filter((code) => code === 'BUSY')).toHaveLength(5);
    expect(codes.filter((code) => code === 'PEER_UNREACHABLE')).toHaveLength(3);
    await node.close();
  });

  it('says NOT_ENOUGH_HOLDERS when fewer hold a record than were asked for', async () => {
    const node = await createNode({ listen: ['127.0.0.1:0'] });
    await expect(node.put('lonely', { holdersMin: 5 })).rejects.toMatchObject({ code: 'NOT_ENOUGH_HOLDERS' });
    await node.close();
  });

  it('says SEED_UNRESOLVED for a host name that does not exist', async () => {
    const node = await createNode({ listen: ['127.0.0.1:0'] });
    const seed = `${node.publicKey}@does-not-exist.invalid:4100`;
    await expect(node.joinBootstrap([seed])).rejects.toMatchObject({ code: 'SEED_UNRESOLVED' });
    await node.close();
  });

  it('reports TRANSPORT_FAILED when what carries its datagrams breaks, and closes', async () => {
    const events: NodeEvent[] = [];
    const { transport, fail } = brokenTransport();
    const node = await createNode({ transport, onEvent: (event) => events.push(event) });
    fail(new Error('unplugged'));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(events).toContainEqual(expect.objectContaining({ type: 'alert', code: 'TRANSPORT_FAILED' }));
    expect(node.state).toBe('closed');
    await node.close();
  });
});
