import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createSecureRng, createSeededRng, MoliaError, randomBelow } from '@molia/core';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KeyedStore, openKeyedStore, StoreEntry, verifyStore } from '../src/index.ts';
import { type Directory, openDirectory, openDisk } from '../src/node-fs.ts';
import { describeRecord } from './numbered.ts';

const KILLS = process.env['MOLIA_LONG'] === '1' ? 300 : 12;
const work = mkdtempSync(join(tmpdir(), 'molia-store-'));
const child = join(work, 'child.mjs');

beforeAll(async () => {
  await build({
    entryPoints: [new URL('./kill.child.ts', import.meta.url).pathname],
    outfile: child,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    conditions: ['molia-src'],
    logLevel: 'silent',
  });
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

function open(path: string): { directory: Directory; store: KeyedStore } {
  const directory = openDirectory(path);
  const store = openKeyedStore({
    disk: directory.disk,
    rng: createSecureRng(),
    nowUnix: 0,
    wake: directory.wake,
    segmentBytes: 192 * 1024,
  });
  directory.drive(store);
  return { directory, store };
}

function requireHeld(store: KeyedStore, entry: StoreEntry, index: number): void {
  describeRecord(entry, index);
  const slot = store.find(entry.key, 0);
  const at = slot < 0 ? -1 : store.load(slot);
  if (at < 0) throw new Error(`record ${index} is lost`);
  const value = store.loaded.subarray(at, at + store.valueLength(slot));
  if (Buffer.compare(value, entry.value) !== 0) throw new Error(`record ${index} is wrong`);
}

describe('a store in a directory', () => {
  it('keeps what was put over a close, in files that verify', async () => {
    const path = join(work, 'kept');
    const first = open(path);
    const entry = new StoreEntry();
    for (let i = 0; i < 2_000; i++) {
      describeRecord(entry, i);
      expect(first.store.put(entry)).toBe(0);
    }
    requireHeld(first.store, entry, 1_999);
    await first.directory.settled();
    expect(first.store.durable).toBe(first.store.ticket);
    await first.directory.close();
    await first.directory.close();
    await expect(first.directory.settled()).rejects.toMatchObject({ code: 'STORE_CLOSED' });
    const disk = openDisk(path);
    const check = verifyStore(disk);
    disk.close();
    expect(check).toMatchObject({ isWhole: true, snapshot: 'whole' });
    expect(readdirSync(path)).not.toContain('lock');
    const second = open(path);
    expect(second.store.pollReport()).toBeUndefined();
    for (let i = 0; i < 2_000; i++) requireHeld(second.store, entry, i);
    await second.directory.close();
  });

  it('is open in one place only, and takes over the lock of a process that is gone', async () => {
    const path = join(work, 'locked');
    const { directory } = open(path);
    expect(() => openDirectory(path)).toThrow(MoliaError);
    expect(() => openDirectory(path)).toThrow(`in use by process ${process.pid}`);
    await directory.close();
    for (const stale of [
      '{"v":1,"pid":4194303,"started":"1"}',
      'nonsense',
      `{"pid":${process.pid},"started":"1"}`,
    ]) {
      writeFileSync(join(path, 'lock'), stale);
      await open(path).directory.close();
    }
  });

  it('says what is wrong with a directory that it cannot use', () => {
    const file = join(work, 'file');
    writeFileSync(file, '');
    expect(() => openDirectory(file)).toThrow('cannot be used');
    if (process.getuid?.() === 0) return;
    const path = join(work, 'read-only');
    open(path);
    chmodSync(path, 0o500);
    expect(() => openDirectory(path)).toThrow('cannot be used');
  });

  it('loses nothing durable when its process is killed, time and again', async () => {
    const path = join(work, 'killed');
    const rng = createSeededRng(Date.now());
    const entry = new StoreEntry();
    let next = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const durable = await runAndKill(path, next, 1 + randomBelow(rng, 25), randomBelow(rng, 3));
      const { directory, store } = open(path);
      const held = store.stats().count;
      // Evicted from the old end; what is held must reach the last durable one without a gap.
      let first = durable;
      while (first > 0) {
        describeRecord(entry, first - 1);
        if (store.find(entry.key, 0) < 0) break;
        first--;
      }
      for (let i = first; i < durable; i++) requireHeld(store, entry, i);
      expect(durable - first, `kill ${kill}`).toBeGreaterThan(Math.min(durable, 200) - 1);
      let last = durable;
      for (; ; last++) {
        describeRecord(entry, last);
        if (store.find(entry.key, 0) < 0) break;
        requireHeld(store, entry, last);
      }
      expect(held, `kill ${kill}`).toBe(last - first);
      next = last;
      await directory.close();
    }
    expect(next).toBeGreaterThan(KILLS * 20);
  }, 1_200_000);
});

/** The greatest number that the child said is durable, before SIGKILL hit it after so many lines. */
async function runAndKill(path: string, from: number, lines: number, spin: number): Promise<number> {
  const process_ = spawn(process.execPath, [child, path, String(from)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => process_.once('exit', resolve));
  let durable = from;
  let seen = 0;
  for await (const line of createInterface({ input: process_.stdout })) {
    durable = Number(line);
    // Not always at the same place after an answer.
    for (let i = 0; i < spin * 100_000; i++) Math.imul(i, i);
    if (++seen === lines) process_.kill('SIGKILL');
  }
  await ended;
  if (seen < lines) throw new Error('the child ended by itself');
  return durable;
}
