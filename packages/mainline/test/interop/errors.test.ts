/** Every way in which an operation of a node may fail, against nodes that behave so. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { type BencodeInput, decodeBencode, encodeBencode, signItem } from '../../src/index.ts';
import { createMainline, type Mainline, type MainlineOptions } from '../../src/node/index.ts';
import { type Dict, ID, text } from '../lab.ts';

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0)) await close();
});

async function open(options: MainlineOptions): Promise<Mainline> {
  const node = await createMainline({ host: '127.0.0.1', port: 0, ...options });
  opened.push(() => node.close());
  return node;
}

/** A node of another make: `answer` says what it replies to a query, `undefined` = nothing. */
async function foreign(answer: (q: string) => BencodeInput | undefined): Promise<string> {
  const socket: Socket = createSocket('udp4');
  opened.push(() => new Promise<void>((done) => void socket.close(() => done())));
  socket.on('message', (bytes, from) => {
    const { q, t } = decodeBencode(new Uint8Array(bytes)) as Dict;
    const body = answer(String.fromCharCode(...(q as Uint8Array)));
    if (body !== undefined)
      socket.send(encodeBencode({ ...(body as object), t: t as Uint8Array }), from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return `127.0.0.1:${socket.address().port}`;
}

const found = { r: { id: ID, token: 'token' }, y: 'r' };
const seed = new Uint8Array(32).fill(3);

describe('an operation fails with', () => {
  test('NO_NODES when nobody answers', async () => {
    const node = await open({ bootstrap: [await foreign(() => undefined)], requestTimeoutMs: 300 });
    await expect(node.putImmutable('x')).rejects.toMatchObject({ code: 'NO_NODES' });
  });

  test('PUT_TIMEOUT when nodes answer, and confirm nothing', async () => {
    const node = await open({ bootstrap: [await foreign((q) => (q === 'put' ? undefined : found))] });
    await expect(node.putImmutable('x')).rejects.toMatchObject({ code: 'PUT_TIMEOUT' });
  });

  test('PUT_REJECTED when all refuse, with their code in the message', async () => {
    const refuse = (q: string): BencodeInput => (q === 'put' ? { e: [205, 'too big'], y: 'e' } : found);
    const node = await open({ bootstrap: [await foreign(refuse)] });
    await expect(node.putImmutable('x')).rejects.toMatchObject({
      code: 'PUT_REJECTED',
      message: expect.stringContaining('205'),
      hint: expect.stringContaining('205'),
    });
  });

  test.each([
    [301, 'CAS_FAILED'],
    [302, 'NOT_MOST_RECENT'],
  ] as const)('%i from most nodes means %s, whatever a lookup saw', async (code, name) => {
    const refuse = (q: string): BencodeInput => (q === 'put' ? { e: [code, 'no'], y: 'e' } : found);
    const node = await open({ bootstrap: [await foreign(refuse)] });
    await expect(node.putMutable(signItem(seed, text('1:x'), 4n))).rejects.toMatchObject({ code: name });
  });

  test('CONCURRENT_WRITE when another put of the item runs', async () => {
    const node = await open({ bootstrap: [await foreign(() => undefined)], requestTimeoutMs: 300 });
    const first = node.putMutable(signItem(seed, text('1:x'), 4n));
    const second = node.putMutable(signItem(seed, text('1:y'), 4n));
    await expect(second).rejects.toMatchObject({ code: 'CONCURRENT_WRITE' });
    await expect(first).rejects.toMatchObject({ code: 'NO_NODES' });
  });

  test('BUSY when 1024 operations run; those go on', async () => {
    const node = await open({ bootstrap: [await foreign(() => undefined)], requestTimeoutMs: 60_000 });
    const running = Array.from({ length: 1100 }, (_, i) =>
      node.getImmutable(new Uint8Array(20).fill(i & 255)).catch((error: { code: string }) => error.code),
    );
    await expect(node.findNode(ID)).rejects.toMatchObject({ code: 'BUSY' });
    await node.close();
    const codes = (await Promise.all(running)) as string[];
    expect(new Set(codes)).toEqual(new Set(['CLOSED', 'BUSY']));
    expect(codes.filter((code) => code === 'CLOSED').length).toBeGreaterThan(900);
  });

  test('NO_BOOTSTRAP when no bootstrap node has an address of the family', async () => {
    await expect(open({ bootstrap: ['[::1]:6881'] })).rejects.toMatchObject({ code: 'NO_BOOTSTRAP' });
  });

  test('CLOSED when the node is closed before or meanwhile', async () => {
    const node = await open({ bootstrap: [await foreign(() => undefined)] });
    const running = node.getImmutable(ID);
    const ended = expect(running).rejects.toMatchObject({ code: 'CLOSED' });
    await node.close();
    await ended;
    await expect(node.getImmutable(ID)).rejects.toMatchObject({ code: 'CLOSED' });
  });
});
