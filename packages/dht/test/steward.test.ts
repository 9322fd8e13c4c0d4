/** Pinned keys are kept alive, and stay pinned. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSeededRng } from '@molia/core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createTestnet, type MoliaNode, type PinInfo, type Testnet } from '../src/index.ts';

const WAIT_MS = 100_000;
let dataDir = '';
let net: Testnet;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'molia-pins-'));
  net = await createTestnet(14);
}, WAIT_MS);
afterEach(async () => {
  await net.close();
  await rm(dataDir, { recursive: true, force: true });
});

const at = (index: number) => net.nodes[index] as MoliaNode;
const steward = () => net.addNode({ dataDir, limits: { stewardSecs: 1 } });
const pinOf = (node: MoliaNode, key: string) =>
  node.pins().find((pin) => pin.key === key.slice(0, 64)) as PinInfo;

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + WAIT_MS;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('it did not happen in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

it('watches the holders of a pinned blob and makes again what is lost, until it is unpinned', {
  timeout: 3 * WAIT_MS,
}, async () => {
  const bytes = new Uint8Array(500_000);
  createSeededRng(11).fill(bytes, 0, bytes.length);
  const { key } = await at(0).putBlob(bytes, { coding: '6:3', encrypt: 'random' });
  const node = await steward();
  expect(await node.pin(key)).toMatchObject({ key: key.slice(0, 64), kind: 'blob', state: 'waiting' });
  await until(() => pinOf(node, key).state === 'alive');
  expect(pinOf(node, key)).toMatchObject({ missing: 0, rebuilt: 0, lost: 0 });
  await Promise.all([3, 5, 8].map((i) => at(i).close()));
  await until(() => pinOf(node, key).rebuilt > 0 && pinOf(node, key).state === 'alive');
  await until(async () => (await at(1).blobStatus(key)).missing === 0);
  expect(node.stats().steward).toMatchObject({ pins: 1, alive: 1, rebuilt: pinOf(node, key).rebuilt });
  expect(node.metrics()).toMatch(/steward_shards_rebuilt_total [1-9]/);
  expect(await node.unpin(key)).toBe(true);
  expect(await node.unpin(key)).toBe(false);
  expect(node.pins()).toEqual([]);
});

it('states pinned records again, and remembers over a restart what is pinned', {
  timeout: 3 * WAIT_MS,
}, async () => {
  const { key } = await at(0).put('keep me');
  const mutable = await at(0).putMutable('name', 'first');
  const node = await steward();
  for (const pinned of [key, mutable.key]) {
    expect(await node.pin(pinned)).toMatchObject({ key: pinned, kind: 'record' });
  }
  await until(() => node.pins().every(({ state }) => state === 'alive'));
  const before = node.pins();
  await node.close();
  expect(JSON.parse(await readFile(join(dataDir, 'pins.json'), 'utf8')).pins).toHaveLength(2);
  const again = await steward();
  expect(again.pins().map((pin) => [pin.key, pin.kind, pin.addedUnix])).toEqual(
    before.map((pin) => [pin.key, pin.kind, pin.addedUnix]),
  );
  // It visits them anew.
  await until(() => again.pins().every(({ state }) => state === 'alive'));
});

it('refuses what nobody has, what is no key, and a list that it cannot read', {
  timeout: WAIT_MS,
}, async () => {
  const node = await steward();
  expect(() => node.pin('abc')).toThrow(RangeError);
  expect(() => node.unpin('abc')).toThrow(RangeError);
  await expect(node.pin('0'.repeat(64))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(node.pins()).toEqual([]);
  await node.close();
  for (const [text, code] of [
    ['{', 'STORE_UNUSABLE'],
    ['{"version":1,"pins":[{"key":"abc"}]}', 'STORE_UNUSABLE'],
    ['{"version":2}', 'STORE_VERSION'],
  ] as const) {
    await writeFile(join(dataDir, 'pins.json'), text);
    await expect(steward()).rejects.toMatchObject({ code });
  }
});
