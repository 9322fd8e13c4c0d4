import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createNode, createTestnet, type MoliaNode, type Testnet } from '../src/index.ts';

let net: Testnet;
beforeAll(async () => {
  net = await createTestnet(16);
});
afterAll(() => net.close());

const at = (index: number) => net.nodes[index] as MoliaNode;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => {
      throw new Error('it should have failed');
    },
    (error: unknown) => error,
  );

describe('a network of 16', () => {
  it('knows itself', () => {
    for (const node of net.nodes.slice(0, 16)) {
      expect(node.peers().length).toBeGreaterThanOrEqual(8);
      expect(node.state).toBe('ready');
    }
  });

  it('puts on one node and gets on all', async () => {
    const { key, holders } = await at(2).put('hello network');
    expect(holders).toBeGreaterThanOrEqual(12);
    for (const node of net.nodes.slice(0, 16)) expect(text(await node.get(key))).toBe('hello network');
  });

  it('carries every size from nothing to 64 KiB', async () => {
    for (const size of [0, 1, 999, 1000, 1001, 1121, 20_000, 65_536]) {
      const value = new Uint8Array(size).map((_, i) => (i * 31 + size) & 255);
      const { key, holders } = await at(size % 16).put(value);
      expect(holders, `${size} bytes`).toBeGreaterThanOrEqual(8);
      const outsider = await net.addNode();
      expect(Buffer.from(await outsider.get(key)).equals(value), `${size} bytes`).toBe(true);
      await outsider.close();
    }
  });

  it('reads a mutable record at its newest sequence, everywhere', async () => {
    const writer = at(1);
    expect(await writer.putMutable('profile', 'one')).toMatchObject({ seq: 1 });
    expect(await writer.putMutable('profile', 'two')).toMatchObject({ seq: 2 });
    expect(await writer.putMutable('profile', 'ten', { seq: 10 })).toMatchObject({ seq: 10 });
    for (const node of net.nodes.slice(0, 16)) {
      const { seq, value, owner } = await node.getMutable(writer.publicKey, 'profile');
      expect([seq, text(value), owner]).toEqual([10, 'ten', writer.publicKey]);
    }
  });

  it('refuses a stale sequence and a failed compare-and-swap, and changes nothing', async () => {
    const writer = at(4);
    await writer.putMutable('counter', '5', { seq: 5 });
    expect(await failure(writer.putMutable('counter', '4', { seq: 4 }))).toMatchObject({
      code: 'STALE_SEQUENCE',
    });
    expect(await failure(writer.putMutable('counter', '7', { cas: 6 }))).toMatchObject({
      code: 'CAS_MISMATCH',
    });
    expect(await writer.putMutable('counter', '6', { cas: 5 })).toMatchObject({ seq: 6 });
    expect(text((await at(9).getMutable(writer.publicKey, 'counter')).value)).toBe('6');
  });

  it('gives concurrent writes of one node different sequences', async () => {
    const writer = at(5);
    const results = await Promise.all(['a', 'b', 'c', 'd'].map((value) => writer.putMutable('race', value)));
    expect(results.map(({ seq }) => seq).sort()).toEqual([1, 2, 3, 4]);
    expect((await at(6).getMutable(writer.publicKey, 'race')).seq).toBe(4);
  });

  it('tells salted records of one namespace apart', async () => {
    const writer = at(6);
    await writer.putMutable('n', 'plain');
    await writer.putMutable('n', 'salted', { salt: 's' });
    expect(text((await at(1).getMutable(writer.publicKey, 'n')).value)).toBe('plain');
    expect(text((await at(1).getMutable(writer.publicKey, 'n', { salt: 's' })).value)).toBe('salted');
  });

  it('deletes by a tombstone that everyone respects, and writes again above it', async () => {
    const writer = at(7);
    await writer.putMutable('gone', 'soon');
    expect(await writer.delete('gone')).toMatchObject({ seq: 2 });
    for (const node of [at(0), at(7), at(12)]) {
      expect(await failure(node.getMutable(writer.publicKey, 'gone'))).toMatchObject({ code: 'NOT_FOUND' });
    }
    expect(await writer.putMutable('gone', 'back')).toMatchObject({ seq: 3 });
    expect(text((await at(12).getMutable(writer.publicKey, 'gone')).value)).toBe('back');
  });

  it('says NOT_FOUND for what nobody holds', async () => {
    expect(await failure(at(3).get('12'.repeat(32)))).toMatchObject({ code: 'NOT_FOUND' });
    expect(await failure(at(3).getMutable(at(2).publicKey, 'nothing'))).toMatchObject({ code: 'NOT_FOUND' });
    expect(await failure(at(3).getMutable(at(1).publicKey, 'profile', { minSeq: 99 }))).toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('finds every provider once, with its metadata', async () => {
    const key = 'cd'.repeat(32);
    for (const index of [1, 2, 3, 4, 5]) await at(index).announceProvider(key, `meta ${index}`);
    const found = new Map<string, string>();
    for await (const { publicKey, meta } of at(11).findProviders(key)) {
      expect(found.has(publicKey)).toBe(false);
      found.set(publicKey, text(meta));
    }
    const wanted = [1, 2, 3, 4, 5].map((index): [string, string] => [at(index).publicKey, `meta ${index}`]);
    expect([...found].sort()).toEqual(wanted.sort());
  });

  it('ends the search for providers at max and when the loop is left', async () => {
    const key = 'ce'.repeat(32);
    for (const index of [1, 2, 3, 4]) await at(index).announceProvider(key);
    let count = 0;
    for await (const _ of at(12).findProviders(key, { max: 2 })) count++;
    expect(count).toBe(2);
    for await (const _ of at(12).findProviders(key)) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(at(12).stats().operations).toEqual({ running: 0, queued: 0 });
  });

  it('aborts and times out without touching other operations', async () => {
    const { key } = await at(1).put('still here');
    const controller = new AbortController();
    const aborted = failure(at(8).lookup('77'.repeat(32), { signal: controller.signal }));
    const other = at(8).get(key);
    controller.abort(new Error('changed my mind'));
    expect(await aborted).toMatchObject({ code: 'ABORTED', cause: { message: 'changed my mind' } });
    expect(text(await other)).toBe('still here');
    expect(await failure(at(8).get('77'.repeat(32), { signal: AbortSignal.abort() }))).toMatchObject({
      code: 'ABORTED',
    });
    const dead = await createNode({ listen: ['127.0.0.1:0'], seeds: [`${at(0).publicKey}@127.0.0.1:9`] });
    expect(await failure(dead.get(key, { timeoutMs: 20 }))).toMatchObject({ code: 'TIMEOUT' });
    await dead.close();
  });

  it('looks up, reports progress, and pings by key alone', async () => {
    const progress: number[] = [];
    const result = await at(9).lookup(at(10).id, { onProgress: ({ answered }) => progress.push(answered) });
    expect(result.contacts[0]?.publicKey).toBe(at(10).publicKey);
    expect(result.contacts.length).toBe(15);
    expect(progress.length).toBeGreaterThan(0);
    expect(result.answered).toBeGreaterThanOrEqual(15);
    expect((await at(9).ping(at(13).publicKey)).publicKey).toBe(at(13).publicKey);
    expect(await failure(at(9).ping('ab'.repeat(32)))).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('asks one node whom it knows', async () => {
    const target = at(10);
    const named = await at(9).findNode(target.seedStrings()[0] as string, target.id);
    expect(named.length).toBeGreaterThan(10);
    const known = new Set(target.peers().map((peer) => peer.publicKey));
    expect(named.every((contact) => known.has(contact.publicKey))).toBe(true);
    expect(named.some((contact) => contact.publicKey === at(9).publicKey)).toBe(false);
    expect(named[0]).toEqual(
      await at(9)
        .findNode(target.publicKey, target.id)
        .then(([first]) => first),
    );
    const nobody = `${'ab'.repeat(32)}@127.0.0.1:9`;
    expect(await failure(at(8).findNode(nobody, target.id))).toMatchObject({ code: 'PEER_UNREACHABLE' });
    expect(() => at(9).findNode(target.publicKey, 'nonsense')).toThrow(RangeError);
  });

  it('runs more operations than fit at once', async () => {
    const busy = await createNode({
      listen: ['127.0.0.1:0'],
      seeds: net.seeds,
      limits: { operationsMax: 4 },
    });
    const keys = await Promise.all(Array.from({ length: 40 }, (_, i) => busy.put(`value ${i}`)));
    const values = await Promise.all(keys.map(({ key }) => at(14).get(key)));
    expect(values.map(text)).toEqual(Array.from({ length: 40 }, (_, i) => `value ${i}`));
    await busy.close();
  });

  it('answers a client, and never lists it', async () => {
    const client = await net.addNode({ client: true });
    const { key } = await client.put('from a client');
    expect(text(await at(15).get(key))).toBe('from a client');
    for (const node of net.nodes.slice(0, 16)) {
      expect(node.peers().some(({ publicKey }) => publicKey === client.publicKey)).toBe(false);
    }
    await client.close();
  });

  it('lets a node come back by its data directory alone', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'molia-node-'));
    const identity = new Uint8Array(32).fill(9);
    const dataDir = join(directory, 'data');
    const first = await createNode({ listen: ['127.0.0.1:0'], identity, dataDir, seeds: net.seeds });
    await first.joinBootstrap();
    const known = first.peers().length;
    await first.close();
    const second = await createNode({ listen: ['127.0.0.1:0'], identity, dataDir });
    expect(second.publicKey).toBe(first.publicKey);
    expect(await second.joinBootstrap()).toBeGreaterThanOrEqual(Math.min(8, known));
    const { key } = await at(0).put('after the restart');
    expect(text(await second.get(key))).toBe('after the restart');
    await second.close();
    await rm(directory, { recursive: true });
  });

  it('shows its counters as a plain object and as Prometheus text', () => {
    const stats = at(0).stats();
    expect(JSON.parse(JSON.stringify(stats))).toMatchObject({ publicKey: at(0).publicKey, state: 'ready' });
    expect(stats.counters.shard['datagramsReceived']).toBeGreaterThan(100);
    expect(at(0).metrics()).toMatch(/^molia_contacts \d+$/m);
    expect(at(0).metrics()).toMatch(/^molia_shard_datagrams_received_total \d{3,}$/m);
  });
});
