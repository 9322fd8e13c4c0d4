/** `molia pkarr`: keys in files, zones, a relay, the DHT; each verb a process of its own. */
import type { ChildProcess } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTestnet } from '@molia/mainline/node';
import { Keypair } from '@molia/pkarr';
import { afterAll, describe, expect, it } from 'vitest';
import { cleanUp, endOf, molia, startDaemon, temporaryDirectory } from './support.ts';

afterAll(cleanUp);

describe('molia pkarr keygen', () => {
  it('writes a secret that only its owner reads, and prints the public key alone', async () => {
    const file = join(temporaryDirectory(), 'my.key');
    const { code, stdout, stderr } = await molia(['pkarr', 'keygen', '--out', file]);
    expect(code).toBe(0);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const secret = readFileSync(file, 'utf8');
    expect(stdout).toBe(`${Keypair.fromSecretKeyText(secret).publicKey}\n`);
    expect(stdout + stderr).not.toContain(secret.trim());
    const again = await molia(['pkarr', 'keygen', '--out', file, '--json']);
    expect(JSON.parse(again.stdout)).toMatchObject({ v: 1, error: { code: 'FILE_EXISTS' } });
    expect(readFileSync(file, 'utf8')).toBe(secret);
  });

  it('has a place in the data directory', async () => {
    const dataDir = join(temporaryDirectory(), 'data');
    const { stdout } = await molia(['pkarr', 'keygen', '--data-dir', dataDir, '--json']);
    const made = JSON.parse(stdout);
    expect(made).toMatchObject({ v: 1, file: join(dataDir, 'pkarr.key') });
    expect(made.uri).toBe(`pk:${made.publicKey}`);
  });
});

/** A process that serves until it is stopped, and what it printed first. */
async function serve(
  args: readonly string[],
): Promise<{ child: ChildProcess; started: Record<string, string> }> {
  const running = await startDaemon(temporaryDirectory(), args, { verb: [] });
  return { child: running.child, started: running.started as Record<string, string> };
}

describe('molia pkarr over a relay', () => {
  it('publishes a zone file, resolves names of it, replaces it, keeps it alive', async () => {
    const { child, started } = await serve([
      'pkarr',
      'relay',
      '--testnet',
      '--listen',
      '127.0.0.1:0',
      '--lookups-per-second',
      '0',
    ]);
    const network = ['--no-dht', '--relay', started['url'] as string];
    const directory = temporaryDirectory();
    const [key, zone] = [join(directory, 'my.key'), join(directory, 'my.zone')];
    const publicKey = (await molia(['pkarr', 'keygen', '--out', key])).stdout.trim();
    writeFileSync(zone, '@ 60 A {ip}\nwww CNAME @\n@ HTTPS 1 . port=8443 ; {not asked for}\n');

    const missing = await molia(['pkarr', 'publish', zone, '--key', key, ...network]);
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringMatching(/USAGE.*\{ip\}.*--set ip=/)]);
    for (const ip of ['192.0.2.1', '192.0.2.2']) {
      const made = await molia([
        'pkarr',
        'publish',
        zone,
        '--key',
        key,
        '--set',
        `ip=${ip}`,
        '--json',
        ...network,
      ]);
      expect(made.stderr).toBe('');
      expect(JSON.parse(made.stdout)).toMatchObject({ v: 1, publicKey, records: 3, takenBy: 1 });
    }
    const found = await molia(['pkarr', 'resolve', publicKey, ...network]);
    expect(found.stdout.split('\n').slice(0, 2)).toEqual([
      `${publicKey}. 60 IN A 192.0.2.2`,
      `www.${publicKey}. 300 IN CNAME ${publicKey}.`,
    ]);
    const one = await molia(['pkarr', 'resolve', `www.${publicKey}`, '--json', ...network]);
    expect(JSON.parse(one.stdout).records).toEqual([
      { name: `www.${publicKey}`, ttl: 300, type: 'CNAME', data: `${publicKey}.` },
    ]);
    const service = await molia(['pkarr', 'resolve', publicKey, '--endpoints', '--json', ...network]);
    expect(JSON.parse(service.stdout)).toMatchObject({ port: 8443, addresses: ['192.0.2.2'], publicKey });

    const list = join(directory, 'keys.txt');
    writeFileSync(list, `# ours\n${publicKey} # the first\n\n`);
    const kept = await molia(['pkarr', 'republish', '--list', list, '--once', '--json', ...network]);
    expect([kept.code, kept.stderr]).toEqual([0, '']);
    const lines = kept.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { event: 'started', keys: 1 },
      { event: 'written', publicKey },
    ]);

    const nobody = `${Keypair.fromSecretKey(new Uint8Array(32).fill(77)).publicKey}`;
    const absent = await molia(['pkarr', 'resolve', nobody, ...network]);
    expect([absent.code, absent.stderr]).toEqual([1, expect.stringMatching(/^molia: NOT_FOUND: /)]);
    expect(await endOf(child, 'SIGTERM')).toBe(0);
  });

  it('talks to the DHT itself', async () => {
    const net = await createTestnet(8);
    try {
      const directory = temporaryDirectory();
      const [key, zone] = [join(directory, 'my.key'), join(directory, 'my.zone')];
      const publicKey = (await molia(['pkarr', 'keygen', '--out', key])).stdout.trim();
      writeFileSync(zone, '_t TXT "over UDP"\n');
      const dht = ['--bootstrap', net.bootstrap[0] as string];
      const made = await molia(['pkarr', 'publish', zone, '--key', key, '--json', ...dht]);
      expect(JSON.parse(made.stdout).storedAt).toBeGreaterThan(1);
      const found = await molia(['pkarr', 'resolve', `_t.${publicKey}`, '--type', 'txt', ...dht]);
      expect(found.stdout).toBe(`_t.${publicKey}. 300 IN TXT "over UDP"\n`);
    } finally {
      await net.close();
    }
  });

  it.each([
    [['pkarr', 'resolve', 'nokey'], 'USAGE', 2],
    [['pkarr', 'republish'], 'USAGE', 2],
    [['pkarr', 'resolve', 'yqrx81zchh6aotjj85s96gdqbmsoprxr3ks6ks6y8eccpj8b7oiy', '--no-dht'], 'USAGE', 2],
    [['pkarr', 'relay', '--listen', 'here', '--testnet'], 'USAGE', 2],
    [['pkarr', 'relay', '--listen', '127.0.0.1:0', '--testnet', '--trusted-proxy', 'x'], 'USAGE', 2],
    [['pkarr', 'publish', 'nofile.zone', '--key', '/nonexistent/key'], 'FILE_NOT_FOUND', 1],
  ] as const)('refuses %j', async (args, code, status) => {
    const { code: ended, stdout, stderr } = await molia(args);
    expect({ ended, stdout }).toEqual({ ended: status, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^molia: ${code}: [^\\n]+\\n$`));
  });

  it('refuses a zone with a mistake by its line, before anybody is asked', async () => {
    const directory = temporaryDirectory();
    const key = join(directory, 'my.key');
    await molia(['pkarr', 'keygen', '--out', key]);
    for (const [zone, why] of [
      ['a A\n', /line 1/],
      ['a A 1.2.3\n', /1\.2\.3/],
    ] as const) {
      const { code, stderr } = await molia(['pkarr', 'publish', '-', '--key', key], { input: zone });
      expect([code, stderr]).toEqual([2, expect.stringMatching(/^molia: INVALID_ZONE: /)]);
      expect(stderr).toMatch(why);
    }
  });
});
