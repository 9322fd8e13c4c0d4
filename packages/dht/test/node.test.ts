import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { createNode, createTestnet, isMoliaError, type MoliaNode, type NodeOptions } from '../src/index.ts';
import { bundleSource } from './support/bundle.ts';

const open: MoliaNode[] = [];
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
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => {
      throw new Error('it should have failed');
    },
    (error: unknown) => error,
  );

describe('two nodes', () => {
  it('ping each other through an encrypted session', async () => {
    const a = await node();
    const b = await node();
    const result = await a.ping(seedOf(b));
    expect(result.publicKey).toBe(b.publicKey);
    expect(result.id).toBe(b.id);
    expect(result.rttMs).toBeGreaterThanOrEqual(0);
    expect(result.rttMs).toBeLessThan(500);
    expect((await b.ping(seedOf(a))).publicKey).toBe(a.publicKey);
  });

  it('ping over IPv6', async () => {
    const a = await node({ listen: ['[::1]:0'] });
    const b = await node({ listen: ['[::1]:0'], seeds: [seedOf(a)] });
    expect(await b.joinBootstrap()).toBe(1);
    const { key } = await b.put('six');
    expect(text(await a.get(key))).toBe('six');
    expect(a.peers()[0]?.endpoint).toMatch(/^\[::1\]:\d+$/);
  });

  it('of different networks never connect', async () => {
    const a = await node({ network: 'red' });
    const b = await node({ network: 'blue', seeds: [seedOf(a)] });
    const error = await failure(b.ping(seedOf(a), { timeoutMs: 5000 }));
    expect(error).toMatchObject({ code: 'PEER_UNREACHABLE', hint: expect.stringContaining('network') });
    expect(await failure(b.joinBootstrap())).toMatchObject({
      code: 'NO_PEERS',
      hint: expect.stringContaining('network'),
    });
    expect(a.peers()).toEqual([]);
    expect(b.peers()).toEqual([]);
    expect(b.state).toBe('isolated');
  });

  it('of one private network do', async () => {
    const a = await node({ network: 'vermilion-7' });
    const b = await node({ network: 'vermilion-7', seeds: [seedOf(a)] });
    expect(await b.joinBootstrap()).toBe(1);
    expect(b.stats().network).toBe('private');
    expect(JSON.stringify(b.stats())).not.toContain('vermilion');
  });
});

describe('a network of one', () => {
  it('keeps and returns values', async () => {
    const one = await node();
    expect(one.state).toBe('ready');
    const { key, holders } = await one.put('alone');
    expect(holders).toBe(1);
    expect(text(await one.get(key))).toBe('alone');
    const written = await one.putMutable('profile', 'mine');
    expect(written).toMatchObject({ seq: 1, holders: 1 });
    expect(text((await one.getMutable(one.publicKey, 'profile')).value)).toBe('mine');
    expect(await failure(one.get('0'.repeat(64)))).toMatchObject({ name: 'MoliaError' });
  });
});

describe('misuse', () => {
  it('throws at once, with a code', async () => {
    const one = await node();
    const cases: [() => unknown, string][] = [
      [() => one.get('zz'), 'INVALID_KEY'],
      [() => one.get(new Uint8Array(31)), 'INVALID_KEY'],
      [() => one.get(7 as never), 'INVALID_KEY'],
      [() => one.put(new Uint8Array(65_537)), 'VALUE_TOO_LARGE'],
      [() => one.put(7 as never), 'INVALID_ARGUMENT'],
      [() => one.put('x', { ttlSec: 1 }), 'INVALID_ARGUMENT'],
      [() => one.put('x', { ttl: 100 } as never), 'INVALID_ARGUMENT'],
      [() => one.get('0'.repeat(64), { timeoutMs: 0 }), 'INVALID_ARGUMENT'],
      [() => one.get('0'.repeat(64), { signal: {} as never }), 'INVALID_ARGUMENT'],
      [() => one.putMutable('n'.repeat(256), 'x'), 'VALUE_TOO_LARGE'],
      [() => one.putMutable('n', 'x', { salt: 's'.repeat(65) }), 'VALUE_TOO_LARGE'],
      [() => one.putMutable('n', 'x', { seq: 2 ** 53 }), 'INVALID_ARGUMENT'],
      [() => one.announceProvider('0'.repeat(64), 'm'.repeat(129)), 'VALUE_TOO_LARGE'],
      [() => one.findProviders('0'.repeat(64), { max: 0 }), 'INVALID_ARGUMENT'],
      [() => one.ping('nonsense@host'), 'INVALID_SEED'],
      [() => one.joinBootstrap(['nonsense']), 'INVALID_SEED'],
      [() => createNode({ seeds: ['nonsense'] }), 'INVALID_SEED'],
      [() => createNode({ port: 1 } as never), 'INVALID_ARGUMENT'],
      [() => createNode({ listen: ['localhost'] }), 'INVALID_ARGUMENT'],
      [() => createNode({ identity: new Uint8Array(31) }), 'INVALID_ARGUMENT'],
      [() => createNode({ network: '' }), 'INVALID_ARGUMENT'],
      [() => createNode({ limits: { peersMax: 1 } }), 'INVALID_ARGUMENT'],
      [() => createTestnet(0), 'INVALID_ARGUMENT'],
    ];
    for (const [run, code] of cases) {
      let thrown: unknown;
      try {
        void Promise.resolve(run()).catch(() => {});
      } catch (error) {
        thrown = error;
      }
      expect(thrown, String(run)).toBeInstanceOf(Error);
      expect(isMoliaError(thrown), String(run)).toBe(false);
      expect((thrown as { code: string }).code, String(run)).toBe(code);
    }
  });

  it('refuses privacy that this version does not give', async () => {
    const one = await node();
    expect(await failure(one.get('0'.repeat(64), { privacy: 'blind' }))).toMatchObject({
      code: 'UNSUPPORTED',
    });
  });
});

describe('opening and closing', () => {
  it('says that the port is taken', async () => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const taken = `127.0.0.1:${socket.address().port}`;
    expect(await failure(node({ listen: [taken] }))).toMatchObject({
      code: 'ADDRESS_IN_USE',
      hint: expect.stringContaining('port'),
    });
    socket.close();
  });

  it('opens in well under the time of one lookup', async () => {
    await node();
    const startedAt = performance.now();
    await node();
    expect(performance.now() - startedAt).toBeLessThan(100);
  });

  it('rejects what runs and what comes after close, which is idempotent', async () => {
    const dead = `${(await node()).publicKey}@127.0.0.1:9`;
    const one = await node({ seeds: [dead] });
    const running = failure(one.get('0'.repeat(64)));
    const pinging = failure(one.ping(dead));
    const [first, second] = [one.close(), one.close()];
    expect(await running).toMatchObject({ code: 'CLOSED' });
    expect(await pinging).toMatchObject({ code: 'CLOSED' });
    await Promise.all([first, second]);
    expect(one.state).toBe('closed');
    expect(await failure(one.get('0'.repeat(64)))).toMatchObject({ code: 'CLOSED' });
  });

  it('closes by its signal', async () => {
    const controller = new AbortController();
    const events: string[] = [];
    const one = await node({ signal: controller.signal, onEvent: (event) => events.push(event.type) });
    controller.abort();
    await one.close();
    expect(one.state).toBe('closed');
    expect(events).toEqual(['closed']);
    await expect(createNode({ signal: AbortSignal.abort() })).rejects.toThrow();
  });

  it('leaves no handle: a process that closed its nodes ends by itself', async () => {
    const { file, remove } = bundleSource(`
      import { createTestnet } from '../src/index.ts';
      const net = await createTestnet(4);
      const { key } = await net.nodes[0].put(new Uint8Array(5000).fill(7));
      const value = await net.nodes[3].get(key);
      const lost = net.nodes[1].get('0'.repeat(64)).catch((error) => error.code);
      await net.close();
      console.log(value.length, await lost);
    `);
    try {
      const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: 20_000 });
      expect(stdout).toMatch(/^5000 (NOT_FOUND|CLOSED)\n$/);
    } finally {
      remove();
    }
  });
});
