/** The command line without a daemon: help, usage, files, keys, configuration. */
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { cleanUp, molia, temporaryDirectory } from './support.ts';

afterAll(cleanUp);

const verbs = [
  'start',
  'stop',
  'status',
  'id',
  'keygen',
  'put',
  'get',
  'put-mutable',
  'get-mutable',
  'delete',
  'blob',
  'store',
  'announce',
  'providers',
  'lookup',
  'peers',
  'ping',
  'testnet',
  'pkarr',
  'config',
  'version',
];
const KEY = 'ab'.repeat(32);

describe('molia help', () => {
  it('lists every verb', async () => {
    const { code, stdout } = await molia(['help']);
    expect(code).toBe(0);
    for (const verb of verbs) expect(stdout).toMatch(new RegExp(`^  ${verb} `, 'm'));
  });

  it.each(verbs)('shows examples for %s', async (verb) => {
    const { code, stdout, stderr } = await molia(['help', verb]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`Examples:\\n(.*\\n)*  \\$ .*molia ${verb}`));
    expect(stdout).toContain('--json');
  });

  it('goes to stderr with status 2 when no verb is given', async () => {
    const { code, stdout, stderr } = await molia([]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('Usage: molia');
  });
});

/** Exactly one line, in the agreed form, and the same error as JSON. */
async function refused(
  args: string[],
  code: string,
  status: number,
  hint: RegExp,
  env: Record<string, string> = {},
): Promise<void> {
  const plain = await molia(args, { env });
  expect(plain.stderr).toMatch(new RegExp(`^molia: ${code}: [^\\n]+\\. [^\\n]+\\n$`));
  expect(plain.stderr).toMatch(hint);
  expect({ status: plain.code, stdout: plain.stdout }).toEqual({ status, stdout: '' });
  const json = await molia([...args, '--json'], { env });
  expect(json.stdout.split('\n')).toHaveLength(2);
  const { v, error } = JSON.parse(json.stdout);
  expect({ v, code: error.code, status: json.code, stderr: json.stderr }).toEqual({
    v: 1,
    code,
    status,
    stderr: '',
  });
  expect(Object.keys(error)).toEqual(['code', 'message', 'hint']);
}

describe('bad input', () => {
  it('of a verb, an option, a missing or surplus argument is USAGE', async () => {
    await refused(['putt', 'x'], 'USAGE', 2, /Did you mean put\?/);
    await refused(['put', '--tll', '5', 'x'], 'USAGE', 2, /Did you mean --ttl\?/);
    await refused(['put'], 'USAGE', 2, /molia help/);
    await refused(['put', 'a', 'b'], 'USAGE', 2, /molia help/);
    await refused(['put', 'a', '--ttl', 'soon'], 'USAGE', 2, /whole number|molia help/);
    await refused(['testnet', '0'], 'USAGE', 2, /testnet 8/);
  });

  it('of a malformed key is INVALID_KEY before anybody is asked', async () => {
    await refused(['get', 'xyz'], 'INVALID_KEY', 2, /64 hexadecimal digits/);
    await refused(['get', KEY.slice(1)], 'INVALID_KEY', 2, /63 digits/);
    await refused(['get-mutable', 'nobody', 'profile'], 'INVALID_KEY', 2, /owner/);
    await refused(['providers', `${KEY}00`], 'INVALID_KEY', 2, /66 digits/);
    await refused(['announce', 'x'], 'INVALID_KEY', 2, /key/);
    await refused(['lookup', 'x'], 'INVALID_KEY', 2, /target/);
    await refused(['ping', 'x@127.0.0.1:1'], 'INVALID_KEY', 2, /public key/);
  });

  it('of a missing file, a directory and a value too large', async () => {
    const dir = temporaryDirectory();
    await refused(['put', join(dir, 'none')], 'FILE_NOT_FOUND', 1, /Check the path/);
    await refused(['put', dir], 'FILE_UNREADABLE', 1, /directory/);
    const large = join(dir, 'large');
    writeFileSync(large, new Uint8Array(65_537));
    await refused(['put', large], 'VALUE_TOO_LARGE', 1, /65536 bytes/);
    expect(statSync(large).size).toBe(65_537);
    const piped = await molia(['put', '-'], { input: new Uint8Array(70_000) });
    expect(piped.stderr).toMatch(/^molia: VALUE_TOO_LARGE: standard input/);
  });

  it('of a daemon that does not run says how to start one', async () => {
    const dir = temporaryDirectory();
    const file = join(dir, 'f');
    writeFileSync(file, 'x');
    for (const args of [
      ['status'],
      ['stop'],
      ['peers'],
      ['get', KEY],
      ['put', file],
      ['lookup', KEY],
      ['providers', KEY],
    ]) {
      const { code, stderr } = await molia([...args, '--data-dir', dir]);
      expect(stderr).toMatch(/^molia: DAEMON_NOT_RUNNING: .*npx molia start$/m);
      expect(code).toBe(1);
    }
    await refused(['status', '--data-dir', dir], 'DAEMON_NOT_RUNNING', 1, /npx molia start/);
  });

  it('of the configuration names the key, where it is, and the nearest known one', async () => {
    const dir = temporaryDirectory();
    const file = join(dir, 'molia.toml');
    writeFileSync(file, 'lissten = ["0.0.0.0:0"]\n');
    await refused(['start', '--data-dir', dir], 'BAD_CONFIG', 2, /"lissten".*Did you mean "listen"\?/);
    expect(readFileSync(file, 'utf8')).toBe('lissten = ["0.0.0.0:0"]\n');
    await refused(['config'], 'BAD_CONFIG', 2, /MOLIA_NETWORK/, { MOLIA_NETWROK: 'x' });
    await refused(['start', '--listen', 'here'], 'BAD_CONFIG', 2, /--listen/);
    await refused(['start', '--seed', 'me'], 'BAD_CONFIG', 2, /PUBLIC_KEY@HOST:PORT/);
    await refused(['config', '--config', join(dir, 'none.toml')], 'FILE_NOT_FOUND', 1, /--config/);
  });

  it('of a data directory that cannot be used', async () => {
    const dir = temporaryDirectory();
    const file = join(dir, 'file');
    writeFileSync(file, 'precious');
    await refused(['start', '--data-dir', join(file, 'sub')], 'DATA_DIR_UNUSABLE', 1, /--data-dir/);
    expect(readFileSync(file, 'utf8')).toBe('precious');
    if (process.getuid?.() !== 0) {
      const closed = join(dir, 'closed');
      mkdirSync(closed, { mode: 0o500 });
      await refused(['start', '--data-dir', closed], 'DATA_DIR_UNUSABLE', 1, /permission denied/);
    }
  });
});

describe('molia keygen and id', () => {
  it('make an identity that is readable only by its owner, and show the same one again', async () => {
    const dir = join(temporaryDirectory(), 'new');
    const made = JSON.parse((await molia(['keygen', '--data-dir', dir, '--json'])).stdout);
    expect(made).toMatchObject({ v: 1, file: join(dir, 'identity.key') });
    expect(made.publicKey).toMatch(/^[0-9a-f]{64}$/);
    expect(statSync(made.file).mode & 0o777).toBe(0o600);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    const shown = JSON.parse((await molia(['id', '--data-dir', dir, '--json'])).stdout);
    expect(shown).toEqual({ v: 1, id: made.id, publicKey: made.publicKey, running: false, seeds: [] });
  });

  it('never overwrite a key', async () => {
    const out = join(temporaryDirectory(), 'my.key');
    expect((await molia(['keygen', '--out', out])).code).toBe(0);
    const before = readFileSync(out, 'utf8');
    await refused(['keygen', '--out', out], 'FILE_EXISTS', 1, /--out/);
    expect(readFileSync(out, 'utf8')).toBe(before);
  });

  it('refuse a key that other users can read, with the command that mends it', async () => {
    const dir = temporaryDirectory();
    await molia(['keygen', '--data-dir', dir]);
    const file = join(dir, 'identity.key');
    chmodSync(file, 0o644);
    await refused(['id', '--data-dir', dir], 'KEY_PERMISSIONS', 1, new RegExp(`chmod 600 ${file}`));
    await refused(['start', '--data-dir', dir], 'KEY_PERMISSIONS', 1, /chmod 600/);
  });
});

describe('molia config and version', () => {
  it('print values with their origin and never a secret', async () => {
    const env = { MOLIA_NETWORK_SECRET: 'hunter2hunter2' };
    const plain = await molia(['config', '--network', 'home'], { env });
    expect(plain.code).toBe(0);
    expect(plain.stdout).toMatch(/^network = "home" +# flag --network$/m);
    expect(plain.stdout).toMatch(/^network_secret = "\(set\)" +# env MOLIA_NETWORK_SECRET$/m);
    expect(plain.stdout).toMatch(/sum +\d+ MiB/);
    const json = await molia(['config', '--json'], { env });
    const { v, values, memory } = JSON.parse(json.stdout);
    expect(v).toBe(1);
    expect(values.network).toEqual({ value: 'public', origin: 'default' });
    expect(memory.totalBytes).toBe(
      memory.terms.reduce((sum: number, term: { bytes: number }) => sum + term.bytes, 0),
    );
    expect(plain.stdout + json.stdout).not.toContain('hunter2');
  });

  it('print an example file that the daemon accepts as it is', async () => {
    const dir = temporaryDirectory();
    const file = join(dir, 'molia.toml');
    writeFileSync(file, (await molia(['config', '--example'])).stdout);
    const { code, stdout } = await molia(['config', '--config', file]);
    expect(code).toBe(0);
    expect(stdout).not.toContain('# file');
  });

  it('print the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
    expect(JSON.parse((await molia(['version', '--json'])).stdout)).toMatchObject({ v: 1, version });
    expect((await molia(['--version'])).stdout.trim()).toBe(version);
  });
});
