/**
 * Real programs over loopback, both directions: bittorrent-dht (installed in apps/bench/peers) and libtorrent (Debian's
 * python3-libtorrent). What is absent is skipped aloud; with MOLIA_INTEROP=require that is a failure.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { fromHex, nobleCurves, toHex } from '@molia/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signItem } from '../../src/index.ts';
import { createMainline, type Mainline } from '../../src/node/index.ts';
import { text } from '../lab.ts';

const required = process.env['MOLIA_INTEROP'] === 'require';
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const peersDir = here('peers');
if (required && !existsSync(`${peersDir}/node_modules/.package-lock.json`))
  spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: peersDir });
const hasPeer = existsSync(`${peersDir}/node_modules/bittorrent-dht`);
const python = '/usr/bin/python3';
const hasLibtorrent = spawnSync(python, ['-c', 'import libtorrent']).status === 0;
for (const [name, has] of [
  ['bittorrent-dht', hasPeer],
  ['python3-libtorrent', hasLibtorrent],
] as const)
  if (!has) console.warn(`skipped: ${name} is not installed`);

test.runIf(required)('finds everything it needs, because MOLIA_INTEROP=require', () => {
  expect({ hasPeer, hasLibtorrent }).toEqual({ hasPeer: true, hasLibtorrent: true });
});

const seed = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const HASH = seed(0x5a).slice(0, 20);

/** Waits until a node has a contact. Real programs keep real time. */
async function met(node: Mainline): Promise<void> {
  for (let i = 0; i < 200 && node.info().contacts === 0; i++)
    await new Promise((done) => setTimeout(done, 50));
  expect(node.info().contacts).toBe(1);
}

/** What our node does against a network of the other program. */
function ourSide(node: () => Mainline, rejectsEqualSeq: boolean): void {
  test('we announce a peer and find it', async () => {
    expect((await node().announcePeer(HASH, { port: 7777 })).storedAt).toBeGreaterThan(0);
    const found: unknown[] = [];
    for await (const peers of node().getPeers(HASH)) found.push(...peers);
    expect(found).toContainEqual({ host: '127.0.0.1', port: 7777 });
  });

  test('we put and get an immutable value', async () => {
    const put = await node().putImmutable('from molia');
    expect(put.storedAt).toBe(1);
    expect((await node().getImmutable(put.target))?.value).toEqual(text('from molia'));
  });

  test.each(['', 'salty'])('we put, replace and get a mutable item with salt "%s"', async (saltText) => {
    const salt = text(saltText);
    const item = (value: string, seq: bigint) => signItem(seed(8), text(value), seq, salt);
    expect((await node().putMutable(item('3:one', 1n))).storedAt).toBe(1);
    expect((await node().putMutable(item('3:two', 2n), { cas: 1n })).storedAt).toBe(1);
    const read = await node().getMutableMostRecent(item('3:two', 2n).key, { salt });
    expect([read?.seq, read?.value]).toEqual([2n, text('3:two')]);
    await expect(node().putMutable(item('3:six', 6n), { cas: 1n })).rejects.toMatchObject({
      code: 'CAS_FAILED',
    });
    await expect(node().putMutable(item('3:one', 1n))).rejects.toMatchObject({ code: 'NOT_MOST_RECENT' });
    if (rejectsEqualSeq)
      await expect(node().putMutable(item('3:twq', 2n))).rejects.toMatchObject({ code: 'CONCURRENT_WRITE' });
  });
}

interface PeerDht {
  listen(port: number, host: string, done: () => void): void;
  address(): { port: number };
  put(options: object, done: (error: Error | null, hash: Uint8Array, count: number) => void): void;
  get(
    hash: Uint8Array,
    options: object,
    done: (error: Error | null, found: { v: Uint8Array; seq: number } | null) => void,
  ): void;
  announce(hash: string, port: number, done: (error: Error | null) => void): void;
  destroy(done: () => void): void;
}

describe.runIf(hasPeer)('bittorrent-dht', () => {
  let ours: Mainline;
  let theirs: PeerDht;
  const verify = (signature: Uint8Array, message: Uint8Array, key: Uint8Array): boolean =>
    signature?.length === 64 && nobleCurves.ed25519Verify(signature, message, key);
  beforeAll(async () => {
    const { default: Dht } = (await import(here('peers/load.mjs'))) as {
      default: new (options: object) => PeerDht;
    };
    ours = await createMainline({ bootstrap: [], host: '127.0.0.1', port: 0, mode: 'server' });
    const bootstrap = [`127.0.0.1:${ours.info().localAddress.port}`];
    theirs = new Dht({ bootstrap, host: false, verify });
    await new Promise<void>((done) => theirs.listen(0, '127.0.0.1', done));
    await met(ours);
  });
  afterAll(async () => {
    await new Promise<void>((done) => theirs.destroy(done));
    await ours.close();
  });

  ourSide(() => ours, false);

  test('it puts an immutable and a salted mutable item on our node; we read both', async () => {
    const [hash, count] = await new Promise<[Uint8Array, number]>((resolve, reject) => {
      theirs.put({ v: Buffer.from('from them') }, (error, h, n) => (error ? reject(error) : resolve([h, n])));
    });
    expect(count).toBe(1);
    expect((await ours.getImmutable(new Uint8Array(hash)))?.value).toEqual(text('from them'));
    expect(ours.info().stored.immutable).toBeGreaterThan(0);
    const { key } = signItem(seed(4), text('0:'), 1n);
    const sign = (message: Uint8Array): Buffer => {
      const signature = Buffer.alloc(64);
      nobleCurves.ed25519Sign(signature, message, seed(4), key);
      return signature;
    };
    const salt = Buffer.from('pepper');
    await new Promise<void>((resolve, reject) => {
      theirs.put({ k: Buffer.from(key), salt, seq: 3, v: Buffer.from('theirs'), sign }, (error) =>
        error ? reject(error) : resolve(),
      );
    });
    expect(ours.info().stored.mutable).toBeGreaterThan(0);
    // A node does not ask itself, and bittorrent-dht keeps salted items of its own under another key: a third node reads.
    const node = await createMainline({
      bootstrap: [`127.0.0.1:${ours.info().localAddress.port}`],
      host: '127.0.0.1',
      port: 0,
    });
    const read = await node.getMutableMostRecent(key, { salt: text('pepper') });
    await node.close();
    expect(read?.seq).toBe(3n);
  });

  test('it announces on our node, and another of ours finds the peer', async () => {
    const other = seed(0x11).slice(0, 20);
    await new Promise<void>((resolve, reject) => {
      theirs.announce(toHex(other), 8888, (error) => (error ? reject(error) : resolve()));
    });
    const node = await createMainline({
      bootstrap: [`127.0.0.1:${ours.info().localAddress.port}`],
      host: '127.0.0.1',
      port: 0,
    });
    const found: unknown[] = [];
    for await (const peers of node.getPeers(other)) found.push(...peers);
    await node.close();
    expect(found).toContainEqual({ host: '127.0.0.1', port: 8888 });
  });
});

describe.runIf(hasLibtorrent)('libtorrent', () => {
  let ours: Mainline;
  let child: ChildProcess;
  let lines: Interface;
  const ask = async (request: object): Promise<unknown> => {
    child.stdin?.write(`${JSON.stringify(request)}\n`);
    const [line] = (await once(lines, 'line')) as [string];
    return JSON.parse(line);
  };
  beforeAll(async () => {
    child = spawn(python, [here('libtorrent-node.py')], { stdio: ['pipe', 'pipe', 'inherit'] });
    lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    const port = (await ask({ do: 'port' })) as number;
    ours = await createMainline({
      bootstrap: [`127.0.0.1:${port}`],
      host: '127.0.0.1',
      port: 0,
      mode: 'server',
    });
    await ask({ do: 'node', port: ours.info().localAddress.port });
    await met(ours);
  });
  afterAll(async () => {
    child.stdin?.end();
    await once(child, 'exit');
    await ours.close();
  });

  ourSide(() => ours, true);

  test('it puts on our node; we read what it wrote', async () => {
    const put = (await ask({ do: 'put', value: 'from libtorrent' })) as { target: string; stored: number };
    expect(put.stored).toBeGreaterThan(0);
    expect((await ours.getImmutable(fromHex(put.target)))?.value).toEqual(text('from libtorrent'));
    const { key } = signItem(seed(2), text('0:'), 1n);
    const request = {
      do: 'put_mutable',
      seed: toHex(seed(2)),
      key: toHex(key),
      value: 'mutable',
      salt: 'lt',
    };
    expect(await ask(request)).toBeGreaterThan(0);
    const read = await ours.getMutableMostRecent(key, { salt: text('lt') });
    expect(read?.value).toEqual(text('7:mutable'));
  }, 60_000);
});
