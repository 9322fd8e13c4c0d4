/** The server on real sockets, asked by Node's own resolver (c-ares), by hand, and by HTTP clients. */
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { request as http1 } from 'node:http';
import { connect as http2 } from 'node:http2';
import { request as https } from 'node:https';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createNameServer, type NameServer, type NameServerOptions } from '../../src/name-server/index.ts';
import { a, cname, KEY, keyBytes, OTHER_KEY, packet, query, read, txt } from './lab.ts';
import { TEST_CERT, TEST_KEY } from './tls.ts';
import { startUpstream, type Upstream } from './upstream.ts';

const zones = new Map([
  [
    keyBytes(KEY),
    packet(
      a('@', '192.0.2.9'),
      txt('_x', 'one'),
      cname('out', 'www.example.com'),
      ...Array.from({ length: 12 }, (_, i) => txt('big', `${'x'.repeat(50)}${i}`)),
    ),
  ],
]);
const client: NonNullable<NameServerOptions['client']> = {
  async resolve(key) {
    const message = zones.get(Buffer.from(key.bytes).toString('hex'));
    return message && { message };
  },
};

let upstream: Upstream;
let server: NameServer;
let resolver: Resolver;
beforeAll(async () => {
  upstream = await startUpstream((name, overTcp) => {
    if (name === 'silent.example.com') return undefined;
    if (name === 'long.example.com' && !overTcp) return { flags: 0x200 };
    if (name.startsWith('no.')) return { flags: 3 };
    return { answers: [a(name, '198.51.100.5')] };
  });
  server = await createNameServer({
    client,
    port: 0,
    httpsPort: 0,
    upstreams: [upstream.address],
    queriesPerSecond: 0,
    udpBytesPerSecond: 0,
    tcpIdleMs: 60_000,
  });
  resolver = new Resolver({ timeout: 10_000, tries: 3 });
  resolver.setServers([`127.0.0.1:${server.address.port}`]);
});
afterAll(async () => {
  await server.close();
  await upstream.close();
});

describe('over UDP', () => {
  test('a stub resolver finds records of keys and of ordinary names', async () => {
    expect(await resolver.resolve4(KEY)).toEqual(['192.0.2.9']);
    expect(await resolver.resolveTxt(`_x.${KEY}.key`)).toEqual([['one']]);
    expect(await resolver.resolve4('www.example.com')).toEqual(['198.51.100.5']);
    expect(await resolver.resolve4(`out.${KEY}`)).toEqual(['198.51.100.5']);
    await expect(resolver.resolve4(`none.${KEY}`)).rejects.toMatchObject({ code: 'ENOTFOUND' });
    await expect(resolver.resolve6(KEY)).rejects.toMatchObject({ code: 'ENODATA' });
    await expect(resolver.resolve4(OTHER_KEY)).rejects.toMatchObject({ code: 'ENOTFOUND' });
    // Well spelled, but no point of the curve.
    for (const noPoint of [`${'8'.repeat(51)}o`, `ye${'y'.repeat(50)}`])
      await expect(resolver.resolve4(noPoint)).rejects.toMatchObject({ code: 'ENOTFOUND' });
    await expect(resolver.resolve4('no.example.com')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });

  test('it comes back over TCP for what does not fit', async () => {
    expect(await resolver.resolveTxt(`big.${KEY}`)).toHaveLength(12);
    expect(await resolver.resolve4('long.example.com')).toEqual(['198.51.100.5']);
    expect(
      upstream.asked.filter(({ name }) => name === 'long.example.com').map((one) => one.overTcp),
    ).toEqual([false, true]);
  });

  test('each question leaves from a port of its own', async () => {
    await Promise.all(Array.from({ length: 30 }, (_, i) => resolver.resolve4(`p${i}.example.com`)));
    const ports = upstream.asked.filter(({ name }) => /^p\d+\./.test(name)).map(({ port }) => port);
    expect(new Set(ports).size).toBeGreaterThan(20);
    const steps = ports.slice(1).map((port, i) => Math.abs(port - (ports[i] as number)));
    expect(steps.filter((step) => step <= 2).length).toBeLessThan(15);
  });

  test('a server that is silent, or gone, is SERVFAIL in the end', async () => {
    const gone = await createNameServer({ port: 0, upstreams: ['127.0.0.1:1'] });
    const asker = new Resolver({ timeout: 20_000, tries: 1 });
    asker.setServers([`127.0.0.1:${gone.address.port}`]);
    await expect(asker.resolve4('www.example.com')).rejects.toMatchObject({ code: 'ESERVFAIL' });
    await expect(asker.resolve4(KEY)).rejects.toMatchObject({ code: 'ESERVFAIL' });
    await gone.close();
    await expect(resolver.resolve4('silent.example.com')).rejects.toMatchObject({ code: 'ESERVFAIL' });
  });

  test('junk does not stop the answers', async () => {
    const socket = createSocket('udp4');
    for (let i = 0; i < 3_000; i++) socket.send(Buffer.alloc(i % 600, i), server.address.port, '127.0.0.1');
    expect(await resolver.resolve4(KEY)).toEqual(['192.0.2.9']);
    socket.close();
  });

  test('an IPv6 socket answers both families', async (context) => {
    const both = await createNameServer({ client, port: 0, host: '::' }).catch(() => undefined);
    if (both === undefined) return context.skip('no IPv6 here');
    const asker = new Resolver({ timeout: 10_000, tries: 3 });
    asker.setServers([`127.0.0.1:${both.address.port}`]);
    expect(await asker.resolve4(KEY)).toEqual(['192.0.2.9']);
    asker.setServers([`[::1]:${both.address.port}`]);
    expect(await asker.resolve4(KEY)).toEqual(['192.0.2.9']);
    await both.close();
  });
});

/** A TCP connection that collects the messages it gets. */
async function dial(port: number): Promise<{ socket: Socket; ids: number[]; closed: Promise<unknown> }> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const ids: number[] = [];
  let held = Buffer.alloc(0);
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
      const end = 2 + held.readUInt16BE(0);
      ids.push(read(held.subarray(2, end)).id as number);
      held = held.subarray(end);
    }
  });
  // `once` would reject when the other side resets the connection.
  const closed = new Promise((done) => socket.once('close', done));
  await once(socket, 'connect');
  return { socket, ids, closed };
}

function framed(...messages: Uint8Array[]): Buffer {
  return Buffer.concat(
    messages.flatMap((m) => [Buffer.from([m.length >> 8, m.length & 255]), Buffer.from(m)]),
  );
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1_000 && !condition(); i++) await new Promise((done) => setTimeout(done, 20));
  expect(condition()).toBe(true);
}

describe('over TCP', () => {
  test('many questions go on one connection, in pieces of any size, and all are answered', async () => {
    const { socket, ids, closed } = await dial(server.address.port);
    const wanted = Array.from({ length: 200 }, (_, id) => id + 1);
    const all = framed(...wanted.map((id) => query(id % 2 === 0 ? KEY : `t${id}.example.com`, 'A', { id })));
    for (let at = 0; at < all.length; at += 997) socket.write(all.subarray(at, at + 997));
    socket.write(framed(query(KEY, 'A', { id: 999 })).subarray(0, 1));
    socket.write(framed(query(KEY, 'A', { id: 999 })).subarray(1, 9));
    socket.end(framed(query(KEY, 'A', { id: 999 })).subarray(9));
    await closed;
    expect([...ids].sort((x, y) => x - y)).toEqual([...wanted, 999]);
  });

  test('who sends what is no query, or too long, is hung up on', async () => {
    for (const bytes of [
      Buffer.from([0, 3, 1, 2, 3]),
      Buffer.from([0xff, 0xff]),
      Buffer.from([0, 0, 0, 0]),
    ]) {
      const { socket, closed } = await dial(server.address.port);
      socket.write(bytes);
      await closed;
    }
  });

  test('who trickles bytes is hung up on; connections have a limit', async () => {
    const strict = await createNameServer({
      client,
      port: 0,
      tcpIdleMs: 500,
      tcpConnectionsMax: 8,
      tcpConnectionsPerAddressMax: 4,
    });
    let closed = 0;
    const dialled = await Promise.all(Array.from({ length: 12 }, () => dial(strict.address.port)));
    for (const one of dialled) void one.closed.then(() => closed++);
    // Eight at once are too many of one address already.
    await until(() => closed >= 8);
    const trickling = setInterval(() => {
      for (const { socket } of dialled) if (!socket.destroyed) socket.write(Buffer.from([0]));
    }, 100);
    await until(() => closed === 12);
    clearInterval(trickling);
    expect(strict.stats().tcpConnections).toBe(0);
    const { socket, ids } = await dial(strict.address.port);
    socket.write(framed(query(KEY, 'A', { id: 5 })));
    await until(() => ids.length === 1);
    await strict.close();
  });
});

const dnsUrl = (): string => `http://127.0.0.1:${server.httpsAddress?.port}/dns-query`;
const post = (body: Uint8Array, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(dnsUrl(), {
    method: 'POST',
    headers: { 'content-type': 'application/dns-message', ...headers },
    body: Buffer.from(body),
  });

describe('over HTTPS', () => {
  test('GET and POST answer, and may be kept as long as the records', async () => {
    const asked = query(KEY, 'A', { id: 0 });
    const got = await fetch(`${dnsUrl()}?dns=${Buffer.from(asked).toString('base64url')}`);
    expect([got.status, got.headers.get('content-type')]).toEqual([200, 'application/dns-message']);
    expect(Number(/^max-age=(\d+)$/.exec(got.headers.get('cache-control') ?? '')?.[1])).toBeGreaterThan(100);
    expect(got.headers.get('access-control-allow-origin')).toBe('*');
    expect(read(new Uint8Array(await got.arrayBuffer())).answers).toMatchObject([{ data: '192.0.2.9' }]);
    const posted = await post(query(`big.${KEY}`, 'TXT'));
    expect(read(new Uint8Array(await posted.arrayBuffer())).answers).toHaveLength(12);
  });

  test('what is wrong is said by status', async () => {
    const status = async (answer: Promise<Response>): Promise<number> => {
      const { status, body } = await answer;
      await body?.cancel();
      return status;
    };
    const base = dnsUrl();
    expect(await status(fetch(base))).toBe(400);
    expect(await status(fetch(`${base}?dns=a+b`))).toBe(400);
    expect(await status(fetch(`${base}?dns=AAAA`))).toBe(400);
    expect(await status(fetch(`${base}?dns=${'A'.repeat(9_000)}`))).toBe(400);
    expect(await status(post(new Uint8Array(3)))).toBe(400);
    expect(await status(post(new Uint8Array(5_000)))).toBe(413);
    expect(await status(post(query(KEY, 'A'), { 'content-type': 'text/plain' }))).toBe(415);
    expect(await status(fetch(base, { method: 'PUT', body: 'x' }))).toBe(405);
    expect(await status(fetch(base, { method: 'OPTIONS' }))).toBe(204);
    expect(await status(fetch(base.replace('dns-query', 'other')))).toBe(404);
    expect(await status(fetch(base.replace('dns-query', 'livez')))).toBe(200);
    expect(await status(fetch(base.replace('dns-query', 'readyz')))).toBe(200);
  });

  test('behind a proxy the client is the last one that it names and that is no proxy itself', async () => {
    const proxied = await createNameServer({
      client,
      port: 0,
      httpsPort: 0,
      trustedProxies: ['127.0.0.0/8'],
      queriesPerSecond: 1,
      queriesBurst: 2,
    });
    const ask = (forwarded: string): Promise<number> =>
      new Promise((done, fail) => {
        const { port } = proxied.httpsAddress as { port: number };
        const path = `/dns-query?dns=${Buffer.from(query(KEY, 'A')).toString('base64url')}`;
        const request = http1({ host: '127.0.0.1', port, path, headers: { 'x-forwarded-for': forwarded } });
        request.on('response', (response) => {
          response.resume();
          done(response.statusCode as number);
        });
        request.on('error', fail);
        request.end();
      });
    expect(await ask('198.51.100.1')).toBe(200);
    expect(await ask('203.0.113.1, 198.51.100.1')).toBe(200);
    expect(await ask('203.0.113.2, 198.51.100.1')).toBe(429);
    expect(await ask('198.51.100.1, 203.0.113.3')).toBe(200);
    await proxied.close();
  });

  test('with a certificate it speaks HTTP/2 and HTTP/1.1', async () => {
    const secure = await createNameServer({
      client,
      port: 0,
      httpsPort: 0,
      tlsCert: TEST_CERT,
      tlsKey: TEST_KEY,
    });
    const { port } = secure.httpsAddress as { port: number };
    const session = http2(`https://127.0.0.1:${port}`, { ca: TEST_CERT });
    const answers = await Promise.all(
      [1, 2, 3].map(async (id) => {
        const stream = session.request({
          ':method': 'POST',
          ':path': '/dns-query',
          'content-type': 'application/dns-message',
        });
        stream.end(query(KEY, 'A', { id }));
        const chunks: Buffer[] = [];
        for await (const chunk of stream) chunks.push(chunk as Buffer);
        return read(Buffer.concat(chunks)).id;
      }),
    );
    expect(answers).toEqual([1, 2, 3]);
    const status = await new Promise((done, fail) => {
      const path = `/dns-query?dns=${Buffer.from(query(KEY, 'A')).toString('base64url')}`;
      const request = https({ host: '127.0.0.1', port, path, ca: TEST_CERT }, (response) => {
        response.resume();
        done(response.statusCode);
      });
      request.on('error', fail);
      request.end();
    });
    expect(status).toBe(200);
    const over = once(session, 'close');
    await secure.close();
    await over;
  });
});

describe('starting and stopping', () => {
  test('a port that is taken, an address that is not ours and a key that is none say so', async () => {
    const { port } = server.address;
    await expect(createNameServer({ port })).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' });
    await expect(createNameServer({ port: 0, host: '192.0.2.1' })).rejects.toMatchObject({
      code: 'ADDRESS_UNAVAILABLE',
    });
    await expect(
      createNameServer({ port: 0, httpsPort: 0, tlsCert: TEST_CERT, tlsKey: 'none' }),
    ).rejects.toMatchObject({ code: 'TLS_UNUSABLE' });
  });

  test('wrong options are refused by name', async () => {
    await expect(createNameServer({ typo: 1 } as never)).rejects.toThrow(/typo/);
    await expect(createNameServer({ port: 70_000 })).rejects.toThrow(/port/);
    await expect(createNameServer({ upstreams: ['dns.example.com'] })).rejects.toThrow(/dns\.example\.com/);
    await expect(createNameServer({ port: 0, tlsCert: TEST_CERT })).rejects.toThrow(/tlsKey/);
    await expect(createNameServer({ port: 0, httpsPath: 'x y' })).rejects.toThrow(/httpsPath/);
    await expect(createNameServer({ port: 0, httpsPort: 0, trustedProxies: ['here'] })).rejects.toThrow(
      /here/,
    );
  });

  test('closing gives the answers that are owed and frees the port', async () => {
    let find: (found: { message: Uint8Array }) => void = () => undefined;
    const slow = await createNameServer({
      port: 0,
      httpsPort: 0,
      client: {
        resolve: () =>
          new Promise((done) => {
            find = done;
          }),
      },
    });
    const { port } = slow.address;
    const { socket, ids, closed } = await dial(port);
    const other = await dial(port);
    socket.write(framed(query(KEY, 'A', { id: 1 })));
    await until(() => slow.stats().pending === 1);
    const closing = slow.close();
    expect(slow.close()).toBe(closing);
    await other.closed;
    find({ message: zones.get(keyBytes(KEY)) as Uint8Array });
    await closing;
    await closed;
    expect(ids).toEqual([1]);
    const again = createServer();
    again.listen(port, '127.0.0.1');
    await once(again, 'listening');
    expect((again.address() as AddressInfo).port).toBe(port);
    again.close();
  });

  test('a search that outlives the server is aborted, and an AbortSignal closes it', async () => {
    await expect(createNameServer({ port: 0, signal: AbortSignal.abort('early') })).rejects.toBe('early');
    const abort = new AbortController();
    let aborted = false;
    const never = await createNameServer({
      port: 0,
      signal: abort.signal,
      client: {
        resolve: (_key, { signal }) =>
          new Promise((_, fail) => {
            signal.addEventListener('abort', () => {
              aborted = true;
              fail(signal.reason);
            });
          }),
      },
    });
    const { socket, closed } = await dial(never.address.port);
    socket.write(framed(query(KEY, 'A')));
    await until(() => never.stats().pending === 1);
    abort.abort();
    await closed;
    await never.close();
    expect(aborted).toBe(true);
  });

  test('statistics count what happened', async () => {
    const stats = server.stats();
    expect(stats.counters['queriesUdp']).toBeGreaterThan(30);
    expect(stats.counters['queriesTcp']).toBeGreaterThan(200);
    expect(stats.counters['queriesHttps']).toBeGreaterThan(2);
    expect(stats.counters['answeredNoError']).toBeGreaterThan(200);
    expect(stats.cacheBytes).toBeGreaterThan(1_000);
  });
});
