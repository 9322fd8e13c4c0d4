import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEndpoint } from '@molia/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFilePeerstore, decodePeerstore, encodePeerstore } from '../src/peerstore.ts';
import { PeerstoreKeeper } from '../src/peerstore-keeper.ts';
import type { NodeEvent } from '../src/types.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'molia-peerstore-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const snapshot = (count: number) => ({
  contacts: Array.from({ length: count }, (_, i) => ({
    publicKey: new Uint8Array(32).fill(i),
    endpoint: parseEndpoint(i % 2 === 0 ? `192.0.2.1:${i + 1}` : `[2001:db8::1]:${i + 1}`),
  })),
  tai64nFloor: new Uint8Array(12).fill(7),
});

describe('the peerstore format', () => {
  it('reads back what was written', () => {
    for (const count of [0, 1, 100])
      expect(decodePeerstore(encodePeerstore(snapshot(count)))).toEqual(snapshot(count));
  });

  it('keeps at most 2048 contacts', () => {
    expect(decodePeerstore(encodePeerstore(snapshot(3000)))?.contacts.length).toBe(2048);
  });

  it('refuses every single flipped bit and every truncation', () => {
    const bytes = encodePeerstore(snapshot(2));
    for (let i = 0; i < bytes.length * 8; i++) {
      const copy = bytes.slice();
      copy[i >> 3] = (copy[i >> 3] as number) ^ (1 << (i & 7));
      expect(decodePeerstore(copy), `bit ${i}`).toBeUndefined();
    }
    for (let length = 0; length < bytes.length; length++) {
      expect(decodePeerstore(bytes.subarray(0, length))).toBeUndefined();
    }
  });
});

describe('the file peerstore', () => {
  it('writes atomically with mode 0600, into a directory that it makes', async () => {
    const path = join(directory, 'a', 'peers');
    const driver = createFilePeerstore(path);
    expect(await driver.load()).toBeUndefined();
    await driver.save(new Uint8Array([1, 2, 3]));
    await driver.save(new Uint8Array([4, 5]));
    expect([...(await readFile(path))]).toEqual([4, 5]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(directory, 'a'))).toEqual(['peers']);
  });

  it('says what is wrong with the path', async () => {
    const driver = createFilePeerstore(directory);
    await expect(driver.load()).rejects.toMatchObject({ code: 'PEERSTORE_UNREADABLE' });
    await expect(driver.save(new Uint8Array(1))).rejects.toMatchObject({ code: 'PEERSTORE_UNREADABLE' });
    expect(await readdir(directory)).toEqual([]);
  });
});

describe('PeerstoreKeeper', () => {
  it('sets a corrupt file aside, tells, and starts without it', async () => {
    const path = join(directory, 'peers');
    await writeFile(path, 'not a peerstore');
    const events: NodeEvent[] = [];
    const keeper = new PeerstoreKeeper(createFilePeerstore(path), (event) => events.push(event));
    expect(await keeper.load()).toBeUndefined();
    expect(events).toMatchObject([
      { type: 'alert', code: 'PEERSTORE_CORRUPT', hint: expect.stringContaining('corrupt-') },
    ]);
    const [aside] = await readdir(directory);
    expect(await readFile(join(directory, aside as string), 'utf8')).toBe('not a peerstore');
    keeper.attach(() => snapshot(1));
    await keeper.save();
    expect((await readdir(directory)).length).toBe(2);
  });

  it('does not forget its contacts in a run that found nobody', async () => {
    const driver = createFilePeerstore(join(directory, 'peers'));
    await driver.save(encodePeerstore(snapshot(5)));
    const keeper = new PeerstoreKeeper(driver, () => {});
    expect((await keeper.load())?.contacts.length).toBe(5);
    keeper.attach(() => ({ contacts: [], tai64nFloor: new Uint8Array(12).fill(9) }));
    await Promise.all([keeper.save(), keeper.save()]);
    const kept = decodePeerstore((await driver.load()) as Uint8Array);
    expect(kept?.contacts.length).toBe(5);
    expect(kept?.tai64nFloor[0]).toBe(9);
  });
});
