import { Worker } from 'node:worker_threads';
import {
  type BoundAddress,
  ENDPOINT_BYTES,
  endpointAddress,
  endpointPort,
  formatEndpoint,
  type Transport,
  writeEndpoint,
} from '@molia/core';
import { transportCases } from '@molia/sim';
import { afterEach, describe, expect, it } from 'vitest';
import { createUdpTransport, nativeFailure, type UdpOptions } from '../src/index.ts';

const hasNative = nativeFailure() === undefined;
const required = process.env['MOLIA_INTEROP'] === 'require';
if (!hasNative && !required)
  console.warn(`the native addon is not built: its half is skipped (${nativeFailure()})`);
const drivers = (['native', 'dgram'] as const).filter((name) => name === 'dgram' || hasNative || required);

interface Received {
  from: string;
  text: string;
  path: number;
}

/** A host that interns endpoints in the order in which it meets them. */
class Side {
  readonly received: Received[] = [];
  readonly transport: Transport;
  bound: readonly BoundAddress[] = [];
  readonly #endpoints: Uint8Array[] = [];
  onReceive: (from: Received) => void = () => {};

  constructor(transport: Transport) {
    this.transport = transport;
  }

  async open(): Promise<this> {
    this.bound = await this.transport.open({
      path: (address, port) => this.path(address, port),
      endpointPath: (bytes, at) => this.path(endpointAddress(bytes, at), endpointPort(bytes, at)),
      receive: (path, bytes, offset, length) => {
        const text = new TextDecoder().decode(bytes.subarray(offset, offset + length));
        const one = { from: formatEndpoint(this.#endpoints[path] as Uint8Array, 0), text, path };
        this.received.push(one);
        this.onReceive(one);
      },
      fail: (error) => {
        throw error;
      },
    });
    return this;
  }

  path(address: string, port: number): number {
    const endpoint = new Uint8Array(ENDPOINT_BYTES);
    writeEndpoint(endpoint, 0, address, port);
    const at = this.#endpoints.findIndex((known) => known.every((byte, i) => byte === endpoint[i]));
    return at >= 0 ? at : this.#endpoints.push(endpoint) - 1;
  }

  send(path: number, text: string): void {
    const bytes = new TextEncoder().encode(`..${text}..`);
    this.transport.send(path, this.#endpoints[path] as Uint8Array, 0, bytes, 2, bytes.length - 4);
  }
}

const open: Side[] = [];

async function until(done: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !done(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(done()).toBe(true);
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.transport.close()));
});

describe.each(drivers)('UDP through %s', (driver) => {
  async function opened(listen?: string[], options: UdpOptions = {}): Promise<Side> {
    const transport = createUdpTransport({ driver, ...options, ...(listen === undefined ? {} : { listen }) });
    expect(transport.driver).toBe(driver);
    const side = await new Side(transport).open();
    open.push(side);
    return side;
  }
  const localPort = (side: Side, family = 4): number =>
    (side.bound.find((bound) => bound.family === family) as BoundAddress).port;

  it.each(transportCases)('complies: $name', async ({ run }) => {
    await run({
      create: () => createUdpTransport({ driver, listen: ['127.0.0.1:0'] }),
      settle: () => new Promise((resolve) => setTimeout(resolve, 40)),
    });
  });

  it.each(['127.0.0.1', '::1'])('carries datagrams both ways on %s', async (address) => {
    const listen = [address.includes(':') ? `[${address}]:0` : `${address}:0`];
    const a = await opened(listen);
    const b = await opened(listen);
    a.send(a.path(address, (b.bound[0] as BoundAddress).port), 'hello');
    await until(() => b.received.length === 1);
    expect(b.received[0]?.text).toBe('hello');
    b.send(b.received[0]?.path as number, 'back');
    await until(() => a.received.length === 1);
    expect(a.received[0]?.text).toBe('back');
    expect(a.transport.stats()).toMatchObject({
      datagramsIn: 1,
      datagramsOut: 1,
      bytesIn: 4,
      bytesOut: 5,
      sendErrors: 0,
    });
  });

  it('binds both families on one port unless told otherwise', async () => {
    const one = await opened();
    expect(one.bound.map((bound) => bound.family)).toEqual([4, 6]);
    expect(one.bound[0]?.port).toBe(one.bound[1]?.port);
  });

  it('answers from the address that was written to', async () => {
    const everywhere = await opened(['0.0.0.0:0']);
    const asker = await opened(['127.0.0.1:0']);
    everywhere.onReceive = ({ path }) => everywhere.send(path, 'here');
    // Both are this machine; the kernel would answer the second from 127.0.0.1.
    for (const address of ['127.0.0.1', '127.0.0.77'])
      asker.send(asker.path(address, localPort(everywhere)), 'where');
    await until(() => asker.received.length === 2);
    const from = asker.received.map((one) => one.from).sort();
    const port = localPort(everywhere);
    expect(from).toEqual(
      driver === 'native'
        ? [`127.0.0.1:${port}`, `127.0.0.77:${port}`]
        : [`127.0.0.1:${port}`, `127.0.0.1:${port}`],
    );
  });

  it('delivers a thousand datagrams in order, whole', async () => {
    const a = await opened(['127.0.0.1:0']);
    const b = await opened(['127.0.0.1:0']);
    const to = a.path('127.0.0.1', localPort(b));
    const text = (i: number): string => `${i}:`.padEnd(i % 1400, 'x');
    for (let i = 0; i < 1000; i++) a.send(to, text(i));
    await until(() => b.received.length === 1000);
    expect(b.received.map((one) => one.text)).toEqual(Array.from({ length: 1000 }, (_, i) => text(i)));
    expect(a.transport.stats().datagramsOut).toBe(1000);
  });

  it('says that a port is taken, and what to do', async () => {
    const one = await opened(['127.0.0.1:0']);
    const port = localPort(one);
    const error = await opened([`127.0.0.1:${port}`]).catch((e: unknown) => e);
    expect(error).toMatchObject({
      name: 'MoliaError',
      code: 'ADDRESS_IN_USE',
      hint: expect.stringContaining('port'),
    });
    await one.transport.close();
    expect(localPort(await opened([`127.0.0.1:${port}`]))).toBe(port);
  });

  it('leaves nothing bound when one of several addresses is taken', async () => {
    const taken = await opened(['127.0.0.1:0']);
    const free = await opened(['127.0.0.2:0']);
    const port = localPort(free);
    await free.transport.close();
    await expect(opened([`127.0.0.2:${port}`, `127.0.0.1:${localPort(taken)}`])).rejects.toMatchObject({
      code: 'ADDRESS_IN_USE',
    });
    expect(localPort(await opened([`127.0.0.2:${port}`]))).toBe(port);
  });

  it('says that an address is not of this machine', async () => {
    await expect(opened(['203.0.113.77:0'])).rejects.toMatchObject({ code: 'ADDRESS_UNAVAILABLE' });
  });

  it('counts what cannot be sent instead of throwing', async () => {
    const one = await opened(['127.0.0.1:0']);
    one.send(one.path('::1', 9), 'no IPv6 socket');
    one.send(one.path('127.0.0.1', 0), 'no port');
    await until(() => one.transport.stats().sendErrors === 2);
    one.send(one.path('255.255.255.255', 9), 'broadcast is not permitted');
    await until(() => one.transport.stats().sendErrors === 3);
  });

  it('sends nothing after close, and closes twice without complaint', async () => {
    const one = await opened(['127.0.0.1:0']);
    await one.transport.close();
    await one.transport.close();
    one.send(one.path('127.0.0.1', 9), 'late');
    expect(one.transport.stats().datagramsOut).toBe(0);
  });

  it('may be closed by what it delivers', async () => {
    const a = await opened(['127.0.0.1:0']);
    const b = await opened(['127.0.0.1:0']);
    let closed: Promise<void> | undefined;
    b.onReceive = () => {
      closed = b.transport.close();
    };
    for (let i = 0; i < 50; i++) a.send(a.path('127.0.0.1', localPort(b)), `${i}`);
    await until(() => closed !== undefined);
    await closed;
    expect(b.received.length).toBe(1);
  });
});

describe('options', () => {
  it('are checked at once', () => {
    expect(() => createUdpTransport({ listen: ['localhost:1'] })).toThrow(RangeError);
    expect(() => createUdpTransport({ dscp: 64 })).toThrow(RangeError);
    expect(() => createUdpTransport({ driver: 'fast' as 'auto' })).toThrow(RangeError);
    expect(() => createUdpTransport({ socketBufferBytes: 0 })).toThrow(RangeError);
  });
});

describe.skipIf(!hasNative && !required)('the addon', () => {
  it('gathers what a batch is answered with into few system calls', async () => {
    const server = await new Side(createUdpTransport({ driver: 'native', listen: ['127.0.0.1:0'] })).open();
    const client = await new Side(createUdpTransport({ driver: 'native', listen: ['127.0.0.1:0'] })).open();
    open.push(server, client);
    server.onReceive = ({ path, text }) => server.send(path, text);
    const to = client.path('127.0.0.1', (server.bound[0] as BoundAddress).port);
    for (let i = 0; i < 256; i++) client.send(to, `${i}`);
    await until(() => client.received.length === 256);
    const detail = server.transport.stats().detail as Record<string, number>;
    // 16 + 32 + 64 + 64 + 64 + 16 and the looks that found nothing, with room for a slow sender.
    expect(detail['sendCalls']).toBeLessThan(40);
    expect(detail['receiveCalls']).toBeLessThan(40);
  });

  it('shares a port between sockets when asked to', async () => {
    const options = { driver: 'native', reusePort: true } as const;
    const first = await new Side(createUdpTransport({ ...options, listen: ['127.0.0.1:0'] })).open();
    open.push(first);
    const { port } = first.bound[0] as BoundAddress;
    const second = await new Side(createUdpTransport({ ...options, listen: [`127.0.0.1:${port}`] })).open();
    open.push(second);
    expect(second.bound[0]?.port).toBe(port);
  });

  it('delivers whole what a path carries when fragments are forbidden, and reports nothing', async () => {
    const reports: number[] = [];
    const side = await new Side(
      createUdpTransport({
        driver: 'native',
        listen: ['127.0.0.1:0'],
        dontFragment: true,
        dscp: 46,
        onPathMtu: (_endpoint, bytes) => reports.push(bytes),
      }),
    ).open();
    open.push(side);
    // Loopback carries everything we may send: no report, no error, and the datagram arrives.
    side.send(side.path('127.0.0.1', (side.bound[0] as BoundAddress).port), 'x'.repeat(1400));
    await until(() => side.received.length === 1);
    expect(side.transport.stats().sendErrors).toBe(0);
    expect(reports).toEqual([]);
  });

  it('ends with a worker that leaves its socket open, and frees the address', async () => {
    const source = `
      const { parentPort, workerData } = require('node:worker_threads');
      const addon = require(workerData);
      const u8 = (n) => new Uint8Array(n);
      addon.inbox(u8(64 * 1536), u8(64 * 19), u8(64 * 20), new Int32Array(64));
      const at = u8(19); at[0] = 4; at[1] = 127; at[4] = 1;
      const id = addon.open(at, 0, 0, 65536, 4, u8(4 * 1536), u8(4 * 19), u8(4 * 20), new Int32Array(4), new Int32Array(2), new Float64Array(14), () => {});
      addon.address(id, at);
      parentPort.postMessage(at[17] * 256 + at[18]);
    `;
    const file = new URL('../build/native-shard.node', import.meta.url).pathname;
    for (let round = 0; round < 3; round++) {
      const worker = new Worker(source, { eval: true, workerData: file });
      const port = await new Promise<number>((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      });
      await worker.terminate();
      const again = await new Side(createUdpTransport({ listen: [`127.0.0.1:${port}`] })).open();
      expect(again.bound[0]?.port).toBe(port);
      await again.transport.close();
    }
  });
});
