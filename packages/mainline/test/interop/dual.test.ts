/** A node of both families, between a network on 127.0.0.1 and one on ::1. Where the machine has no IPv6 it works on IPv4 alone. */
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signItem } from '../../src/index.ts';
import { createDualMainline, createTestnet, type DualMainline, type Testnet } from '../../src/node/index.ts';
import { text } from '../lab.ts';

const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some((one) => one.address === '::1'));
if (!hasIpv6) console.warn('skipped: this machine has no IPv6 loopback address');

const hosts = { ipv4: '127.0.0.1', ipv6: '::1' };
const seed = new Uint8Array(32).fill(11);
let four: Testnet;
beforeAll(async () => {
  four = await createTestnet(6);
});
afterAll(() => four.close());

test('works on IPv4 alone where nothing of IPv6 is known', async () => {
  const node = await createDualMainline({ hosts, bootstrap: four.bootstrap, port: 0 });
  expect(node.ipv6).toBeUndefined();
  const put = await node.putImmutable('four');
  expect((await node.getImmutable(put.target))?.value).toEqual(text('four'));
  await node.close();
  const nowhere = createDualMainline({ hosts: { ipv4: '198.51.100.1', ipv6: '2001:db8::1' }, bootstrap: [] });
  await expect(nowhere).rejects.toThrow();
});

describe.runIf(hasIpv6)('a dual stack', () => {
  let six: Testnet;
  let dual: DualMainline;
  beforeAll(async () => {
    six = await createTestnet(6, { family: 6, host: '::1' });
    const bootstrap = [...four.bootstrap, ...six.bootstrap];
    dual = await createDualMainline({ hosts, bootstrap, port: 0, mode: 'client' });
  });
  afterAll(async () => {
    await dual.close();
    await six.close();
  });

  test('knows both networks', async () => {
    expect(await dual.bootstrapped()).toBe(true);
    const found = await dual.findNode('ab'.repeat(20));
    expect(new Set(found.map(({ endpoint }) => endpoint[0]))).toEqual(new Set([4, 6]));
    expect(dual.exportBootstrap().some((address) => address.startsWith('[::1]:'))).toBe(true);
    const { ipv4, ipv6 } = dual.info();
    expect([ipv4?.localAddress.host, ipv6?.localAddress.host]).toEqual(['127.0.0.1', '::1']);
  });

  test('writes to both, and reads what either holds', async () => {
    const put = await dual.putImmutable('both');
    expect(put.sentTo).toBe(12);
    for (const net of [four, six])
      expect((await net.nodes[3]?.getImmutable(put.target))?.value).toEqual(text('both'));
    const other = await six.nodes[1]?.putImmutable('six only');
    expect((await dual.getImmutable(other?.target as Uint8Array))?.value).toEqual(text('six only'));
  });

  test('brings the newest item of both, and tells a conflict in one', async () => {
    const item = (value: string, seq: bigint) => signItem(seed, text(value), seq);
    await dual.putMutable(item('1:a', 1n));
    await six.nodes[2]?.putMutable(item('1:c', 3n));
    expect((await dual.getMutableMostRecent(item('1:a', 1n).key))?.seq).toBe(3n);
    await expect(dual.putMutable(item('1:b', 2n))).rejects.toMatchObject({ code: 'NOT_MOST_RECENT' });
    expect((await dual.putMutable(item('1:d', 4n))).sentTo).toBe(12);
  });

  test('announces to both, and streams the peers of both', async () => {
    const hash = 'cd'.repeat(20);
    await dual.announcePeer(hash, { port: 4321 });
    const hostsFound = new Set<string>();
    for await (const peers of dual.getPeers(hash)) for (const { host } of peers) hostsFound.add(host);
    expect(hostsFound).toEqual(new Set(['127.0.0.1', '::1']));
    for await (const peers of dual.getPeers(hash)) {
      expect(peers.length).toBe(1);
      break;
    }
  });
});
