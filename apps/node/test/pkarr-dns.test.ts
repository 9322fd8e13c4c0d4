/** `molia pkarr dns` as a process: its lines, its answers, its end. */

import { Resolver } from 'node:dns/promises';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTestnet, type Testnet } from '@molia/mainline/node';
import { createPkarrClient, Keypair, PacketBuilder } from '@molia/pkarr';
import { createNameServer } from '@molia/pkarr/dns';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cleanUp, endOf, molia, startDaemon, temporaryDirectory } from './support.ts';

let net: Testnet;
const keypair = Keypair.fromSecretKey(new Uint8Array(32).fill(3));
beforeAll(async () => {
  net = await createTestnet(8);
  const client = createPkarrClient({ mainline: net.nodes[0], relays: [] });
  await client.publish(new PacketBuilder().a('@', '192.0.2.7', 300).sign(keypair));
  await client.close();
});
afterAll(async () => {
  await cleanUp();
  await net.close();
});

const verb = ['pkarr', 'dns', '--port', '0', '--dht-host', '127.0.0.1'];

describe('molia pkarr dns', () => {
  test('answers from the DHT and from upstreams, and ends with its statistics at the first signal', async () => {
    // Another of our servers stands for an upstream: what it answers is a key's record under an ordinary name's rules.
    const upstream = await createNameServer({ port: 0 });
    const bootstrap = net.bootstrap.flatMap((place) => ['--bootstrap', place]);
    const args = [
      '--upstream',
      `127.0.0.1:${upstream.address.port}`,
      '--https-port',
      '0',
      '--stats',
      '1',
      ...bootstrap,
    ];
    const { child, started } = await startDaemon(temporaryDirectory(), args, { verb });
    expect(started).toMatchObject({ v: 1, event: 'started', dht: true, relays: [] });
    const lines: string[] = [];
    child.stdout?.on('data', (chunk: Buffer) => lines.push(chunk.toString()));
    const resolver = new Resolver({ timeout: 20_000, tries: 3 });
    resolver.setServers([started['address'] as string]);
    expect(await resolver.resolve4(`${keypair.publicKey}`)).toEqual(['192.0.2.7']);
    await expect(resolver.resolve4('www.example.com')).rejects.toMatchObject({ code: 'ESERVFAIL' });
    const health = await fetch(`http://${started['https']}/readyz`);
    expect([health.status, await health.text()]).toEqual([200, 'ok\n']);
    expect(await endOf(child, 'SIGTERM')).toBe(0);
    const objects = lines
      .join('')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(objects.at(-1)).toMatchObject({ v: 1, event: 'stopped', counters: { keyLookups: 1 } });
    await upstream.close();
  });

  test('tells people where it listens', async () => {
    const child = await molia(['pkarr', 'dns', '--port', '0', '--no-dht'], {});
    expect([child.code, child.stderr]).toEqual([2, expect.stringMatching(/USAGE.*--relay/)]);
  });

  test('wrong values are refused with status 2, and a taken port with 1', async () => {
    const refused = async (args: string[], code: number, text: RegExp): Promise<void> => {
      const { stderr, code: status } = await molia(['pkarr', 'dns', '--dht-host', '127.0.0.1', ...args]);
      expect(stderr).toMatch(text);
      expect(status).toBe(code);
    };
    const pem = join(temporaryDirectory(), 'none.pem');
    writeFileSync(pem, 'none');
    await refused(['--port', 'x'], 2, /USAGE.*whole number/);
    await refused(['--port', '70000'], 2, /USAGE.*port/);
    await refused(['--port', '0', '--upstream', 'dns.example.com'], 2, /USAGE.*dns\.example\.com/);
    await refused(['--port', '0', '--bootstrap', 'here'], 2, /USAGE.*here/);
    await refused(['--port', '0', '--relay', 'here'], 2, /USAGE.*here/);
    await refused(['--port', '0', '--tls-cert', pem], 2, /USAGE.*--tls-key/);
    await refused(
      ['--port', '0', '--https-port', '0', '--tls-cert', pem, '--tls-key', pem],
      1,
      /TLS_UNUSABLE/,
    );
    await refused(
      ['--port', '0', '--https-port', '0', '--tls-cert', `${pem}x`, '--tls-key', pem],
      1,
      /FILE_NOT_FOUND/,
    );
    const holder = await createNameServer({ port: 0 });
    await refused(['--port', `${holder.address.port}`], 1, /ADDRESS_IN_USE/);
    await holder.close();
  });
});
