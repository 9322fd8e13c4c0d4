import { type BoundAddress, createSeededRng, formatEndpoint, type Transport } from '@molia/core';
import { afterEach, describe, expect, it } from 'vitest';
import { PathTable } from '../src/paths.ts';
import { createUdpTransport } from '../src/transport-udp.ts';

interface Opened {
  transport: Transport;
  paths: PathTable;
  bound: readonly BoundAddress[];
  received: { from: string; text: string; path: number }[];
}
const open: Opened[] = [];

async function opened(...listen: string[]): Promise<Opened> {
  const paths = new PathTable(createSeededRng(1), 100);
  const transport = createUdpTransport(listen.length === 0 ? {} : { listen });
  const received: Opened['received'] = [];
  const bound = await transport.open({
    path: (address, port) => paths.ofAddress(address, port),
    receive: (path, bytes, offset, length) => {
      const text = new TextDecoder().decode(bytes.subarray(offset, offset + length));
      received.push({ from: formatEndpoint(paths.bytes, paths.offsetOf(path)), text, path });
    },
    fail: (error) => {
      throw error;
    },
  });
  const one = { transport, paths, bound, received };
  open.push(one);
  return one;
}

function send(from: Opened, path: number, text: string): void {
  const bytes = new TextEncoder().encode(`..${text}..`);
  from.transport.send(path, from.paths.bytes, from.paths.offsetOf(path), bytes, 2, bytes.length - 4);
}

async function until(done: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !done(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(done()).toBe(true);
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.transport.close()));
});

describe('the UDP transport', () => {
  it.each(['127.0.0.1:0', '[::1]:0'])('carries datagrams both ways on %s', async (listen) => {
    const a = await opened(listen);
    const b = await opened(listen);
    const { address, port } = b.bound[0] as BoundAddress;
    send(a, a.paths.ofAddress(address, port), 'hello');
    await until(() => b.received.length === 1);
    expect(b.received[0]?.text).toBe('hello');
    send(b, b.received[0]?.path as number, 'back');
    await until(() => a.received.length === 1);
    expect(a.received[0]?.text).toBe('back');
    expect(a.transport.stats()).toEqual({
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

  it('says that a port is taken, and what to do', async () => {
    const one = await opened('127.0.0.1:0');
    const { port } = one.bound[0] as BoundAddress;
    const error = await opened(`127.0.0.1:${port}`).catch((e: unknown) => e);
    expect(error).toMatchObject({
      name: 'MoliaError',
      code: 'ADDRESS_IN_USE',
      hint: expect.stringContaining('port'),
    });
    await one.transport.close();
    expect((await opened(`127.0.0.1:${port}`)).bound[0]?.port).toBe(port);
  });

  it('says that an address is not of this machine', async () => {
    await expect(opened('203.0.113.77:0')).rejects.toMatchObject({ code: 'ADDRESS_UNAVAILABLE' });
  });

  it('refuses a malformed address at once', () => {
    expect(() => createUdpTransport({ listen: ['localhost:1'] })).toThrow(RangeError);
  });

  it('counts what cannot be sent instead of throwing', async () => {
    const one = await opened('127.0.0.1:0');
    send(one, one.paths.ofAddress('::1', 9), 'no IPv6 socket');
    send(one, one.paths.ofAddress('127.0.0.1', 0), 'no port');
    expect(one.transport.stats().sendErrors).toBe(2);
    send(one, one.paths.ofAddress('255.255.255.255', 9), 'broadcast is not permitted');
    await until(() => one.transport.stats().sendErrors === 3);
  });

  it('sends nothing after close, and closes twice without complaint', async () => {
    const one = await opened('127.0.0.1:0');
    await one.transport.close();
    await one.transport.close();
    send(one, one.paths.ofAddress('127.0.0.1', 9), 'late');
    expect(one.transport.stats().datagramsOut).toBe(0);
  });
});
