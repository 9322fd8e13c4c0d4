/** The Node driver over loopback sockets: streams, errors, aborting, closing. */
import { fromHex, parseEndpoint } from '@molia/core';
import { createUdpTransport } from '@molia/native-shard';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isSecureId, signItem } from '../../src/index.ts';
import { createMainline, createTestnet, type Mainline, type Testnet } from '../../src/node/index.ts';
import { text } from '../lab.ts';

let net: Testnet;
let client: Mainline;
beforeAll(async () => {
  net = await createTestnet(12);
  client = await createMainline({ bootstrap: net.bootstrap, host: '127.0.0.1', port: 0, mode: 'client' });
});
afterAll(async () => {
  await client.close();
  await net.close();
});

const seed = (fill: number) => new Uint8Array(32).fill(fill);

describe('a node over UDP', () => {
  test('knows itself', async () => {
    expect(await client.bootstrapped()).toBe(true);
    const info = client.info();
    expect(info.id).toMatch(/^[0-9a-f]{40}$/);
    expect(info.publicAddress).toEqual(info.localAddress);
    expect([info.serverMode, info.firewalled]).toEqual([false, true]);
    expect(client.exportBootstrap().length).toBe(info.contacts);
  });

  test('stores and reads values of any type', async () => {
    const put = await client.putImmutable({ list: [1, 'two'] });
    expect(put.storedAt).toBe(put.sentTo);
    const found = await net.nodes[5]?.getImmutable(put.target);
    expect(found?.value).toEqual({ list: [1, text('two')] });
    expect(await client.getImmutable('00'.repeat(20))).toBeUndefined();
  });

  test('tells a newer item, a lost race and a concurrent write apart', async () => {
    const item = (value: string, seq: bigint) => signItem(seed(1), text(value), seq);
    await client.putMutable(item('1:a', 1n));
    await client.putMutable(item('1:b', 2n), { cas: 1n });
    await expect(client.putMutable(item('1:c', 1n))).rejects.toMatchObject({ code: 'NOT_MOST_RECENT' });
    await expect(client.putMutable(item('1:c', 3n), { cas: 1n })).rejects.toMatchObject({
      code: 'CAS_FAILED',
    });
    await expect(client.putMutable(item('1:c', 2n))).rejects.toMatchObject({ code: 'CONCURRENT_WRITE' });
    const running = client.putMutable(item('1:d', 3n));
    await expect(client.putMutable(item('1:e', 4n))).rejects.toMatchObject({ code: 'CONCURRENT_WRITE' });
    expect(await client.putMutable(item('1:d', 3n))).toEqual(await running);
    expect((await net.nodes[3]?.getMutableMostRecent(item('1:d', 3n).key))?.seq).toBe(3n);
    expect(await client.getMutableMostRecent(item('1:d', 3n).key, { newerThan: 3n })).toBeUndefined();
  });

  test('peers come as a stream that may be left early', async () => {
    const hash = seed(9).slice(0, 20);
    expect((await client.announcePeer(hash)).storedAt).toBeGreaterThanOrEqual(8);
    await client.announcePeer(hash, { port: 1234 });
    for await (const peers of net.nodes[2]?.getPeers(hash) ?? []) {
      expect(peers).toContainEqual({ host: '127.0.0.1', port: 1234 });
      break;
    }
  });

  test('an abort ends an operation with its reason, before or during it', async () => {
    await expect(client.findNode(seed(2).slice(0, 20), { signal: AbortSignal.abort('early') })).rejects.toBe(
      'early',
    );
    const abort = new AbortController();
    const found = client.findNode(seed(2).slice(0, 20), { signal: abort.signal });
    abort.abort('late');
    await expect(found).rejects.toBe('late');
  });

  test('closing ends what runs, and nothing can be started afterwards', async () => {
    const node = await createMainline({ bootstrap: net.bootstrap, host: '127.0.0.1', port: 0 });
    const running = node.findNode(seed(4).slice(0, 20));
    const ended = expect(running).rejects.toMatchObject({ code: 'CLOSED' });
    await node.close();
    await node.close();
    await ended;
    await expect(node.bootstrapped()).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test.each(['auto', 'dgram'] as const)('a transport (%s) carries it instead of a socket', async (driver) => {
    const transport = createUdpTransport({ listen: ['127.0.0.1:0'], driver });
    const node = await createMainline({ bootstrap: net.bootstrap, transport });
    const put = await node.putImmutable(`over ${driver}`);
    expect(put.storedAt).toBeGreaterThan(0);
    expect((await client.getImmutable(put.target))?.value).toEqual(text(`over ${driver}`));
    await node.close();
    const again = createUdpTransport({ listen: ['127.0.0.1:0'], driver });
    await expect(createMainline({ bootstrap: [], transport: again, port: 1 })).rejects.toThrow(/transport/);
    await expect(createMainline({ bootstrap: [], transport: again, family: 6 })).rejects.toThrow(/family 6/);
  });

  test('a ping tells who answers, and brings a node into the table', async () => {
    const lonely = await createMainline({
      bootstrap: [],
      host: '127.0.0.1',
      port: 0,
      requestTimeoutMs: 1000,
    });
    const { port } = (net.nodes[4] as Mainline).info().localAddress;
    expect(await lonely.ping(`127.0.0.1:${port}`)).toBe(true);
    expect(lonely.exportBootstrap()).toEqual([`127.0.0.1:${port}`]);
    const gone = await createMainline({ bootstrap: [], host: '127.0.0.1', port: 0 });
    const dead = gone.info().localAddress.port;
    await gone.close();
    expect(await lonely.ping(`127.0.0.1:${dead}`)).toBe(false);
    await lonely.close();
  });

  test('a known public address makes the id that fits it', async () => {
    const options = { bootstrap: [], host: '127.0.0.1', port: 0 };
    const node = await createMainline({ ...options, publicAddress: '124.31.75.21' });
    const id = fromHex(node.info().id);
    expect(isSecureId(id, 0, parseEndpoint('124.31.75.21:1'), 0)).toBe(true);
    await node.close();
    const both = { ...options, publicAddress: '124.31.75.21', id: '00'.repeat(20) };
    await expect(createMainline(both)).rejects.toThrow(/publicAddress/);
  });

  test('nobody there is an error that says so', async () => {
    const lonely = await createMainline({ bootstrap: [], host: '127.0.0.1', port: 0 });
    await expect(lonely.putImmutable('x')).rejects.toMatchObject({ code: 'NO_NODES' });
    await lonely.close();
  });

  test('wrong arguments are refused by name', async () => {
    await expect(createMainline({ bootstrap: ['nowhere'] })).rejects.toThrow(/nowhere/);
    await expect(createMainline({ typo: 1 } as never)).rejects.toThrow(/typo/);
    await expect(client.announcePeer(seed(1).slice(0, 20), { port: 0 })).rejects.toThrow(/port/);
    await expect(client.findNode('abcd')).rejects.toThrow(/20 bytes/);
    await expect(client.putImmutable(new Uint8Array(1001))).rejects.toThrow(/1000/);
  });
});
