/** One daemon as a process: put and get, lock, port, signals, files, logs, JSON. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  cleanUp,
  endOf,
  eventually,
  molia,
  type Running,
  startDaemon,
  temporaryDirectory,
} from './support.ts';

afterAll(cleanUp);

let daemon: Running;
let at: string[] = [];
beforeAll(async () => {
  daemon = await startDaemon(join(temporaryDirectory(), 'data'), ['--http', '127.0.0.1:0']);
  at = ['--data-dir', daemon.dataDir];
});

async function json(args: readonly string[], input?: Uint8Array | string): Promise<Record<string, unknown>> {
  const { stdout, stderr, code } = await molia(
    [...args, ...at, '--json'],
    input === undefined ? {} : { input },
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout.endsWith('\n') && stdout.split('\n').length === 2).toBe(true);
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('a single daemon', () => {
  it('stores a file and gives it back byte by byte, to stdout and to a file', async () => {
    const file = new URL('../README.md', import.meta.url).pathname;
    const bytes = readFileSync(file);
    const put = await molia(['put', file, ...at]);
    expect(put.stdout).toMatch(/^[0-9a-f]{64}\n$/);
    expect(put.stderr).toContain('held by 1 node');
    const key = put.stdout.trim();
    const got = await molia(['get', key, ...at]);
    expect(got.stdoutBytes.equals(bytes)).toBe(true);
    const copy = join(temporaryDirectory(), 'copy');
    await molia(['get', key, '-o', copy, ...at]);
    expect(readFileSync(copy).equals(bytes)).toBe(true);
  });

  it.each([0, 1, 1000, 1001, 65_536])('stores %i bytes from stdin', async (length) => {
    const value = Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 255);
    const { key } = await json(['put', '-'], value);
    const got = await json(['get', String(key)]);
    expect(got).toMatchObject({ v: 1, key, bytes: length });
    expect(Buffer.from(String(got['value']), 'base64').equals(value)).toBe(true);
  });

  it('says NOT_FOUND for a key that nobody holds, and leaves an output file alone', async () => {
    const file = join(temporaryDirectory(), 'kept');
    writeFileSync(file, 'before');
    const { code, stdout, stderr } = await molia(['get', 'ef'.repeat(32), '-o', file, ...at]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^molia: NOT_FOUND: [^\n]+\. [^\n]+\n$/);
    expect(readFileSync(file, 'utf8')).toBe('before');
  });

  it('replaces, compares and deletes mutable records', async () => {
    const owner = String(daemon.started['publicKey']);
    const first = await json(['put-mutable', 'pro/file ä', '-'], 'one');
    const second = await json(['put-mutable', 'pro/file ä', '-', '--cas', String(first['seq'])], 'two');
    expect(Number(second['seq'])).toBeGreaterThan(Number(first['seq']));
    const got = await json(['get-mutable', owner, 'pro/file ä']);
    expect(got).toMatchObject({ owner, seq: second['seq'], namespace: 'pro/file ä', equivocated: false });
    expect(Buffer.from(String(got['value']), 'base64').toString()).toBe('two');
    const stale = await molia(['put-mutable', 'pro/file ä', '-', '--cas', String(first['seq']), ...at], {
      input: 'x',
    });
    expect(stale.stderr).toMatch(/^molia: CAS_MISMATCH: .*--cas/);
    expect(stale.code).toBe(1);
    await json(['delete', 'pro/file ä']);
    const gone = await molia(['get-mutable', owner, 'pro/file ä', ...at]);
    expect(gone.stderr).toMatch(/^molia: NOT_FOUND:/);
  });

  it('announces itself as a provider and finds itself', async () => {
    const key = 'cd'.repeat(32);
    await json(['announce', key, '--meta', 'mirror-1']);
    const { stdout, code } = await molia(['providers', key, ...at, '--json']);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(code).toBe(0);
    expect(lines[0]).toMatchObject({ v: 1, event: 'provider', publicKey: daemon.started['publicKey'] });
    expect(Buffer.from(lines[0].meta, 'base64').toString()).toBe('mirror-1');
    expect(lines.at(-1)).toEqual({ v: 1, event: 'done', key, count: 1 });
  });

  it('keeps the JSON of status stable', async () => {
    const status = await json(['status']);
    expect(Object.keys(status)).toEqual([
      'v',
      'id',
      'publicKey',
      'state',
      'ready',
      'network',
      'client',
      'version',
      'pid',
      'dataDir',
      'uptimeMs',
      'addresses',
      'seeds',
      'http',
      'contacts',
      'sessions',
      'networkSize',
      'store',
      'operations',
      'transport',
      'providers',
      'rssBytes',
      'noPeers',
    ]);
    expect(status).toMatchObject({
      v: 1,
      pid: daemon.child.pid,
      id: daemon.started['id'],
      noPeers: false,
      ready: true,
    });
    expect((await molia(['status', ...at])).stdout).toContain(String(daemon.started['id']));
  });

  it('serves probes and metrics on TCP without a token', async () => {
    const base = `http://${daemon.started['http']}`;
    expect((await fetch(`${base}/livez`)).status).toBe(200);
    expect((await fetch(`${base}/readyz`)).status).toBe(200);
    const text = await (await fetch(`${base}/metrics`)).text();
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1]);
    expect(new Set(names).size).toBe(names.length);
    expect(text).toMatch(/^molia_process_resident_memory_bytes \d+$/m);
    expect(text).toMatch(/^molia_http_requests_total\{code="2xx",route="livez"\} 1$/m);
    expect(names.length).toBeGreaterThan(20);
    const page = readFileSync(new URL('../../../docs/operations/metrics.md', import.meta.url), 'utf8');
    const documented = [...page.matchAll(/^\| `(molia_\w+)`/gm)].map((match) => match[1]);
    expect(documented, 'after a change: node tools/generate-metrics.mjs').toEqual(names.sort());
  });

  it('keeps directory, key, token and socket to its owner', () => {
    const mode = (name: string): number => statSync(join(daemon.dataDir, name)).mode & 0o777;
    expect(statSync(daemon.dataDir).mode & 0o777).toBe(0o700);
    expect([mode('identity.key'), mode('control.token'), mode('lock'), mode('control.sock')]).toEqual([
      0o600, 0o600, 0o600, 0o600,
    ]);
  });

  it('refuses a second daemon on its data directory, naming the pid', async () => {
    const { code, stderr } = await molia(['start', '--listen', '127.0.0.1:0', ...at]);
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`^molia: DATA_DIR_LOCKED: .*pid ${daemon.child.pid}.*molia stop`));
    expect((await molia(['status', ...at])).code).toBe(0);
  });

  it('shows no peers as an empty table', async () => {
    expect(await json(['peers'])).toEqual({ v: 1, count: 0, peers: [] });
  });
});

describe('starting and stopping', () => {
  it('says which address is taken', async () => {
    const holder = createSocket('udp4').bind(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as AddressInfo;
    const dir = temporaryDirectory();
    const { code, stderr } = await molia(['start', '--listen', `127.0.0.1:${port}`, '--data-dir', dir]);
    holder.close();
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`^molia: ADDRESS_IN_USE: .*${port}.*\\. .*\\n$`));
    expect(existsSync(join(dir, 'lock'))).toBe(false);
    expect(existsSync(join(dir, 'control.sock'))).toBe(false);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'ends cleanly on %s, and keeps identity and port for the next start',
    async (signal) => {
      const dir = temporaryDirectory();
      const first = await startDaemon(dir, [], { verb: ['start'] });
      expect(await endOf(first.child, signal)).toBe(0);
      for (const name of ['lock', 'control.sock']) expect(existsSync(join(dir, name)), name).toBe(false);
      const second = await startDaemon(dir, [], { verb: ['start'] });
      expect(second.started['id']).toBe(first.started['id']);
      expect(second.started['seeds']).toEqual(first.started['seeds']);
      await endOf(second.child, 'SIGTERM');
    },
  );

  it('is not ready while it stops, and a second signal ends it at once', async () => {
    const running = await startDaemon(temporaryDirectory(), ['--http', '127.0.0.1:0']);
    const base = `http://${running.started['http']}`;
    expect((await fetch(`${base}/readyz`)).status).toBe(200);
    // A request whose body never comes keeps the graceful stop waiting.
    const token = readFileSync(join(running.dataDir, 'control.token'), 'utf8').trim();
    const socket = connect(String(running.started['control']));
    socket.on('error', () => undefined);
    socket.write(
      `PUT /v1/values HTTP/1.1\r\nHost: m\r\nAuthorization: Bearer ${token}\r\nContent-Length: 9\r\n\r\nhalf`,
    );
    await eventually(
      'the request runs',
      5000,
      async () => (await molia(['status', '--data-dir', running.dataDir])).code === 0,
    );
    running.child.kill('SIGTERM');
    await eventually('not ready', 1500, async () => (await fetch(`${base}/readyz`)).status === 503);
    expect((await fetch(`${base}/livez`)).status).toBe(200);
    const begun = performance.now();
    expect(await endOf(running.child, 'SIGTERM')).toBe(143);
    expect(performance.now() - begun).toBeLessThan(1000);
    socket.destroy();
  });

  it('shows its banner within a second and rests below 90 MB', async () => {
    const dir = temporaryDirectory();
    const times: number[] = [];
    for (let i = 0; i < 3; i++) {
      const begun = performance.now();
      const running = await startDaemon(dir, [], { verb: ['start'] });
      times.push(performance.now() - begun);
      if (i === 2) {
        await new Promise((resolve) => setTimeout(resolve, 2000));
        const { stdout } = await molia(['status', '--data-dir', dir, '--json']);
        expect(JSON.parse(stdout).rssBytes).toBeLessThan(90e6);
      }
      await endOf(running.child, 'SIGTERM');
    }
    // The best of three: other tests may hold both cores.
    expect(Math.min(...times)).toBeLessThan(1000);
  });

  it('is stopped by molia stop, which waits until it is gone', async () => {
    const running = await startDaemon(temporaryDirectory());
    const { code, stdout } = await molia(['stop', '--data-dir', running.dataDir, '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ v: 1, stopped: true, pid: running.child.pid });
    expect(await endOf(running.child)).toBe(0);
  });

  it('takes over a data directory whose daemon was killed', async () => {
    const dir = temporaryDirectory();
    const first = await startDaemon(dir);
    await endOf(first.child, 'SIGKILL');
    expect(existsSync(join(dir, 'lock'))).toBe(true);
    const second = await startDaemon(dir);
    expect(second.started['id']).toBe(first.started['id']);
    expect((await molia(['status', '--data-dir', dir])).code).toBe(0);
    await endOf(second.child, 'SIGTERM');
  });

  it('works in a directory whose path is too long for a socket', async () => {
    const dir = join(temporaryDirectory(), 'd'.repeat(110));
    mkdirSync(dir);
    const running = await startDaemon(dir);
    expect(String(running.started['control']).length).toBeLessThan(104);
    expect((await molia(['status', '--data-dir', dir])).code).toBe(0);
    await endOf(running.child, 'SIGTERM');
    expect(existsSync(String(running.started['control']))).toBe(false);
  });

  it('warns with a code when no seed answers, and put, peers and status then fail with it', async () => {
    const home = await startDaemon(temporaryDirectory(), [], {
      env: { MOLIA_NETWORK_SECRET: 'the right secret' },
    });
    const [seed] = home.started['seeds'] as string[];
    const lost = await startDaemon(temporaryDirectory(), ['--seed', String(seed)], {
      env: { MOLIA_NETWORK_SECRET: 'a wrong secret' },
    });
    await eventually('the warning', 20_000, () => lost.stderr().includes('"NO_PEERS"'));
    expect(lost.stderr()).toMatch(/secret/);
    expect(lost.stderr()).not.toContain('a wrong secret');
    const here = ['--data-dir', lost.dataDir];
    for (const args of [['peers'], ['put', 'README.md'], ['status'], ['get', 'ab'.repeat(32)]]) {
      const { code, stderr } = await molia([...args, ...here]);
      expect(stderr, args.join(' ')).toMatch(/^molia: NO_PEERS: [^\n]*\. [^\n]*secret[^\n]*\n$/);
      expect(code).toBe(1);
    }
    await endOf(lost.child, 'SIGTERM');
    await endOf(home.child, 'SIGTERM');
  });

  it('writes its log without whole keys and ids, to stderr or to a file', async () => {
    const dir = temporaryDirectory();
    const file = join(dir, 'molia.log');
    const running = await startDaemon(dir, ['--log-file', file, '--log-level', 'debug']);
    await endOf(running.child, 'SIGTERM');
    const lines = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map((line) => line.msg)).toEqual(expect.arrayContaining(['started', 'stopping', 'stopped']));
    expect(readFileSync(file, 'utf8')).not.toMatch(/[0-9a-f]{64}/);
    expect(running.stderr()).toBe('');
  });

  it('shows a person who it is, how to join it and what to type next', async () => {
    const dir = temporaryDirectory();
    const running = await startBanner(dir);
    expect(running).toMatch(/public key +[0-9a-f]{64}/);
    expect(running).toMatch(/npx molia start --seed [0-9a-f]{64}@\S+:\d+/);
    expect(running).toContain(`npx molia put README.md --data-dir ${dir}`);
  });
});

describe('molia testnet', () => {
  it('runs a network in one process that other verbs can use', async () => {
    const dir = temporaryDirectory();
    const net = await startDaemon(dir, [], { verb: ['testnet', '5'] });
    expect(net.started).toMatchObject({ v: 1, event: 'started', nodes: 5 });
    const put = await molia(['put', '-', '--data-dir', dir, '--json'], { input: 'shared' });
    expect(JSON.parse(put.stdout).holders).toBeGreaterThan(1);
    const [seed] = net.started['seeds'] as string[];
    const guest = await startDaemon(temporaryDirectory(), ['--seed', String(seed)]);
    const got = await molia(['get', JSON.parse(put.stdout).key, '--data-dir', guest.dataDir]);
    expect(got.stdout).toBe('shared');
    const ping = await molia(['ping', String(seed), '--data-dir', guest.dataDir]);
    expect(ping.stdout).toMatch(/ms\n$/);
    await endOf(guest.child, 'SIGTERM');
    expect(await endOf(net.child, 'SIGINT')).toBe(0);
  });
});

async function startBanner(dir: string): Promise<string> {
  const { spawn } = await import('node:child_process');
  const { binary, cleanEnvironment } = await import('./support.ts');
  const child = spawn(process.execPath, [binary, 'start', '--listen', '127.0.0.1:0', '--data-dir', dir], {
    env: cleanEnvironment(),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await eventually('the banner', 10_000, () => text.includes('Ctrl-C'));
  await endOf(child, 'SIGTERM');
  return text;
}
