/** Asked by dig (Debian's bind9-dnsutils) over UDP, TCP and HTTPS. Skips aloud without it; with MOLIA_INTEROP=require that fails. */
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Keypair, PacketBuilder } from '../../../src/index.ts';
import { createNameServer, type NameServer } from '../../../src/name-server/index.ts';
import { a } from '../lab.ts';
import { TEST_CERT, TEST_KEY } from '../tls.ts';
import { startUpstream, type Upstream } from '../upstream.ts';

const required = process.env['MOLIA_INTEROP'] === 'require';
const hasDig = spawnSync('dig', ['-v']).status === 0;
const hasHttps = hasDig && /https/.test(spawnSync('dig', ['-h']).stdout.toString());
if (!hasDig) console.warn('skipped: dig is not installed');
else if (!hasHttps) console.warn('skipped: this dig knows no +https');

test.runIf(required)('finds dig, because MOLIA_INTEROP=require', () => {
  expect(hasDig).toBe(true);
});

const keypair = Keypair.fromSecretKey(new Uint8Array(32).fill(7));
const key = keypair.publicKey.toString();

describe.runIf(hasDig)('dig', () => {
  let upstream: Upstream;
  let server: NameServer;
  beforeAll(async () => {
    const builder = new PacketBuilder()
      .a('@', '192.0.2.9', 300)
      .aaaa('www', '2001:db8::9', 300)
      .cname('alias', `www.${key}`, 300)
      .cname('out', 'www.example.com', 300)
      .a('*.wild', '192.0.2.10', 300)
      .mx('@', 10, `mail.${key}`, 300)
      .https('@', 1, '.', 300, { alpn: ['h2', 'h3'], port: 8443 });
    for (let i = 0; i < 12; i++) builder.txt('big', `${'x'.repeat(45)}${i}`, 300);
    const packet = builder.sign(keypair);
    upstream = await startUpstream((name) =>
      name === 'no.example.com' ? { flags: 3 } : { answers: [a(name, '198.51.100.5', 77)] },
    );
    server = await createNameServer({
      port: 0,
      httpsPort: 0,
      tlsCert: TEST_CERT,
      tlsKey: TEST_KEY,
      upstreams: [upstream.address],
      client: { resolve: async (wanted) => (wanted.equals(keypair.publicKey) ? packet : undefined) },
    });
  });
  afterAll(async () => {
    await server?.close();
    await upstream?.close();
  });

  /** What dig prints of a question. */
  async function dig(...args: string[]): Promise<string> {
    const port = args.some((arg) => arg.startsWith('+https'))
      ? server.httpsAddress?.port
      : server.address.port;
    const own = ['@127.0.0.1', '-p', `${port}`, '+time=20', '+tries=2', '+noidnin', '+noidnout'];
    const { stdout } = await promisify(execFile)('dig', [...own, ...args]);
    return stdout;
  }
  const carriers = [['+notcp'], ['+tcp'], ...(hasHttps ? [['+https'], ['+https-get']] : [])];

  test.each(carriers)('finds records of a key and of ordinary names with %s', async (carrier) => {
    expect(await dig(carrier, '+short', key, 'A')).toBe('192.0.2.9\n');
    expect(await dig(carrier, '+short', `www.${key}.key`, 'AAAA')).toBe('2001:db8::9\n');
    expect(await dig(carrier, '+short', `any.wild.${key}`, 'A')).toBe('192.0.2.10\n');
    expect(await dig(carrier, '+short', `alias.${key}`, 'AAAA')).toBe(`www.${key}.\n2001:db8::9\n`);
    expect(await dig(carrier, '+short', `out.${key}`, 'A')).toBe('www.example.com.\n198.51.100.5\n');
    expect(await dig(carrier, '+short', key, 'MX')).toBe(`10 mail.${key}.\n`);
    expect(await dig(carrier, '+short', key, 'HTTPS')).toBe('1 . alpn="h2,h3" port=8443\n');
    expect(await dig(carrier, '+short', `big.${key}`, 'TXT')).toMatch(/^("x{45}\d+"\n){12}$/);
    expect(await dig(carrier, '+short', 'www.example.com', 'A')).toBe('198.51.100.5\n');
  });

  test.each(carriers)('reads codes, flags and sections with %s', async (carrier) => {
    const none = await dig(carrier, `none.${key}`, 'A');
    expect(none).toMatch(/status: NXDOMAIN/);
    expect(none).toMatch(/flags: qr rd ra;.*ANSWER: 0, AUTHORITY: 1, ADDITIONAL: 1/);
    expect(none).toMatch(/IN\s+SOA/);
    expect(none).toMatch(/EDNS: version: 0, flags:; udp: 1232/);
    expect(none).not.toMatch(/warning|malformed|extra bytes|mismatch/i);
    expect(await dig(carrier, key, 'SRV')).toMatch(/status: NOERROR[\s\S]*ANSWER: 0/);
    expect(await dig(carrier, key, 'ANY')).toMatch(/status: REFUSED/);
    expect(await dig(carrier, 'no.example.com', 'A')).toMatch(/status: NXDOMAIN/);
    expect(await dig(carrier, '+norec', 'www.example.com', 'A')).toMatch(/status: REFUSED/);
  });

  test('learns that an answer was cut, and comes back over TCP', async () => {
    expect(await dig('+notcp', '+bufsize=512', '+ignore', `big.${key}`, 'TXT')).toMatch(
      /flags: qr tc rd ra;/,
    );
    const whole = await dig('+bufsize=512', `big.${key}`, 'TXT');
    expect(whole).toMatch(/Truncated, retrying in TCP mode/);
    expect(whole).toMatch(/ANSWER: 12/);
  });

  test('is told BADVERS of a later EDNS', async () => {
    expect(await dig('+edns=1', '+noednsneg', key, 'A')).toMatch(/status: BADVERS/);
  });

  test('may send many questions on one connection', async () => {
    const text = await dig(
      '+keepopen',
      '+tcp',
      '+short',
      key,
      'A',
      `www.${key}`,
      'AAAA',
      'www.example.com',
      'A',
    );
    expect(text).toBe('192.0.2.9\n2001:db8::9\n198.51.100.5\n');
  });
});
