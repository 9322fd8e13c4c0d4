/** What a node keeps in its data directory, and what it says when it cannot. */
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { crc32c } from '../../storage-wal/src/crc32c.ts';
import { createNode, type MoliaNode, type NodeEvent } from '../src/index.ts';

let dataDir = '';
let events: NodeEvent[] = [];
let nodes: MoliaNode[] = [];
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'molia-storage-'));
  events = [];
  nodes = [];
});
afterEach(async () => {
  await Promise.all(nodes.map((node) => node.close()));
  await rm(dataDir, { recursive: true, force: true });
});

async function open(): Promise<MoliaNode> {
  const node = await createNode({
    listen: ['127.0.0.1:0'],
    identity: new Uint8Array(32).fill(3),
    dataDir,
    onEvent: (event) => events.push(event),
  });
  nodes.push(node);
  return node;
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const alerts = (): string[] => events.flatMap((event) => (event.type === 'alert' ? [event.code] : []));

/** Has the first segment of a store say that it is of version 99. */
async function makeForeign(store: string): Promise<void> {
  const file = join(dataDir, store, '00000001.segment');
  const bytes = await readFile(file);
  const length = bytes.readUInt32LE(0);
  bytes[13] = 99;
  bytes.writeInt32LE(crc32c(Math.imul(length, -0x61c88647), bytes, 8, length + 4), 4);
  await writeFile(file, bytes);
}

describe('the data directory of a node', () => {
  it('holds its records: values, mutable records and tombstones are there after a restart, alone', async () => {
    const first = await open();
    const { key } = await first.put('kept');
    await first.putMutable('profile', 'one');
    const { seq } = await first.putMutable('profile', 'two');
    await first.putMutable('gone', 'soon');
    await first.delete('gone');
    await first.announceProvider(key, 'here');
    const { records, providers } = first.stats().store;
    await first.close();
    const second = await open();
    expect(alerts()).toEqual([]);
    expect(second.stats().store).toMatchObject({ records, providers });
    expect(text(await second.get(key))).toBe('kept');
    expect(await second.getMutable(second.publicKey, 'profile')).toMatchObject({ seq });
    await expect(second.getMutable(second.publicKey, 'gone')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('has on disk what a put was answered for: a copy taken then serves it', async () => {
    const first = await open();
    const { key } = await first.put('durable');
    const copy = await mkdtemp(join(tmpdir(), 'molia-storage-'));
    for (const name of ['records', 'peerstore']) {
      await mkdir(join(copy, name));
      for (const file of await readdir(join(dataDir, name))) {
        if (file !== 'lock') await copyFile(join(dataDir, name, file), join(copy, name, file));
      }
    }
    const twin = await createNode({ listen: ['127.0.0.1:0'], dataDir: copy });
    nodes.push(twin);
    expect(text(await twin.get(key))).toBe('durable');
    await twin.close();
    await rm(copy, { recursive: true });
  });

  it('is told of damage by an alert and uses the rest', async () => {
    const first = await open();
    const keys = [];
    for (let i = 0; i < 5; i++) keys.push((await first.put(`value ${i}`)).key);
    await first.close();
    const file = join(dataDir, 'records', '00000001.segment');
    const bytes = await readFile(file);
    const at = bytes.indexOf('value 2');
    bytes[at] = (bytes[at] as number) ^ 1;
    await writeFile(file, bytes);
    await rm(join(dataDir, 'records', 'snapshot'));
    const second = await open();
    expect(alerts()).toEqual(['DAMAGED']);
    for (const [i, key] of keys.entries()) {
      if (i === 2) await expect(second.get(key)).rejects.toMatchObject({ code: 'NO_PEERS' });
      else expect(text(await second.get(key))).toBe(`value ${i}`);
    }
  });

  it('belongs to one node at a time', async () => {
    await open();
    await expect(open()).rejects.toMatchObject({ code: 'STORE_LOCKED' });
  });

  it('is free again after a start that failed', async () => {
    const listen = ['192.0.2.1:1'];
    await expect(createNode({ listen, dataDir })).rejects.toMatchObject({ code: 'ADDRESS_UNAVAILABLE' });
    await open();
  });

  it('says when it cannot be used, or is of another version', async () => {
    await writeFile(join(dataDir, 'records'), 'a file');
    await expect(open()).rejects.toMatchObject({ code: 'STORE_UNUSABLE' });
    await rm(join(dataDir, 'records'));
    const node = await open();
    await node.put('of this version');
    await node.close();
    await makeForeign('records');
    await expect(open()).rejects.toMatchObject({ code: 'STORE_VERSION' });
  });

  it('sets a peerstore of another version aside, says so, and joins through its seeds', async () => {
    const seed = await createNode({ listen: ['127.0.0.1:0'] });
    nodes.push(seed);
    const seeds = seed.seedStrings();
    const start = async (): Promise<MoliaNode> => {
      const node = await createNode({
        listen: ['127.0.0.1:0'],
        seeds,
        dataDir,
        onEvent: (event) => events.push(event),
      });
      nodes.push(node);
      return node;
    };
    // Before it was a directory it was one file.
    await writeFile(join(dataDir, 'peerstore'), 'molia/peerstore/1 and so on');
    const first = await start();
    expect(alerts()).toEqual(['PEERSTORE_SET_ASIDE']);
    expect(await readFile(join(dataDir, 'peerstore.old'), 'utf8')).toBe('molia/peerstore/1 and so on');
    const { key } = await first.put('kept beside it');
    await first.close();
    events = [];
    await makeForeign('peerstore');
    const second = await start();
    const said = events.flatMap((event) => (event.type === 'alert' ? [event.message] : []));
    expect(said).toEqual([expect.stringMatching(/version 99 .* it is peerstore\.old-2 now/)]);
    expect((await readdir(join(dataDir, 'peerstore.old-2'))).sort()).toContain('00000001.segment');
    expect(await second.joinBootstrap()).toBeGreaterThan(0);
    expect(text(await second.get(key))).toBe('kept beside it');
    await second.close();
    events = [];
    await start();
    expect(alerts()).toEqual([]);
  });

  it('says when the own copy of a record is not durable', async () => {
    const node = await open();
    await rm(join(dataDir, 'records'), { recursive: true });
    await expect(node.put('nowhere to go')).rejects.toMatchObject({ code: 'STORE_NOT_DURABLE' });
    expect(alerts()).toEqual(['DISK_FAILED']);
  });
});
