import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exampleFile } from '../src/commands/config.ts';
import { loadConfig } from '../src/config.ts';
import { configKeys } from '../src/config-keys.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'molia-config-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function file(text: string): string {
  const path = join(dir, `${Math.random().toString(36).slice(2)}.toml`);
  writeFileSync(path, text);
  return path;
}

function refusal(run: () => unknown): { code: string; message: string; hint: string } {
  try {
    run();
  } catch (error) {
    return error as { code: string; message: string; hint: string };
  }
  throw new Error('accepted');
}

describe('configuration', () => {
  it('prefers a flag to a variable, a variable to the file, the file to the default', () => {
    const path = file('network = "from-file"\n[log]\nlevel = "warn"\n[http]\nlisten = "127.0.0.1:1"\n');
    const env = { MOLIA_NETWORK: 'from-env', MOLIA_LOG_LEVEL: 'error' };
    const config = loadConfig({ file: path, env, flags: { network: 'from-flag' } });
    expect(config.network).toBe('from-flag');
    expect(config.logLevel).toBe('error');
    expect(config.httpListen).toBe('127.0.0.1:1');
    expect(config.client).toBe(false);
    const origins = Object.fromEntries(config.entries.map((entry) => [entry.key.path, entry.origin]));
    expect(origins).toMatchObject({
      network: 'flag --network',
      'log.level': 'env MOLIA_LOG_LEVEL',
      'http.listen': `file ${path}`,
      client: 'default',
    });
  });

  it('reads molia.toml of the data directory when no file is named', () => {
    writeFileSync(join(dir, 'molia.toml'), 'network = "quiet"\n');
    expect(loadConfig({ env: { MOLIA_DATA_DIR: dir } }).network).toBe('quiet');
    rmSync(join(dir, 'molia.toml'));
  });

  it('reads lists, booleans and numbers from variables', () => {
    const env = {
      MOLIA_LISTEN: '127.0.0.1:1, [::1]:2',
      MOLIA_CLIENT: 'yes',
      MOLIA_LIMITS_PEERS_MAX: '128',
    };
    const config = loadConfig({ env });
    expect(config.listen).toEqual(['127.0.0.1:1', '[::1]:2']);
    expect(config.listenIsDefault).toBe(false);
    expect(config.client).toBe(true);
    expect(config.limits.peersMax).toBe(128);
  });

  it('refuses an unknown key by name and offers the nearest one', () => {
    const top = refusal(() => loadConfig({ file: file('netwrok = "x"\n') }));
    expect(top.code).toBe('BAD_CONFIG');
    expect(top.message).toContain('"netwrok"');
    expect(top.hint).toContain('"network"');
    const nested = refusal(() => loadConfig({ file: file('[http]\nlisen = "127.0.0.1:0"\n') }));
    expect(nested.message).toContain('"http.lisen"');
    expect(nested.hint).toContain('"http.listen"');
  });

  it('refuses a misspelt variable, which would silently join the public network', () => {
    const error = refusal(() => loadConfig({ env: { MOLIA_NETWORK_SECERT: 'x'.repeat(20) } }));
    expect(error.code).toBe('BAD_CONFIG');
    expect(error.hint).toContain('MOLIA_NETWORK_SECRET');
    expect(error.message).not.toContain('xxxx');
  });

  it.each([
    ['listen = ["nonsense"]', 'listen'],
    ['listen = ["127.0.0.1:70000"]', 'listen'],
    ['listen = "127.0.0.1:1"', 'listen'],
    ['seeds = ["abc@host:1"]', 'seeds'],
    ['bootstrap = ["mainline:nowhere"]', 'bootstrap'],
    ['[mainline]\nnodes = ["nowhere"]', 'mainline.nodes'],
    ['client = "maybe"', 'client'],
    ['[log]\nlevel = "loud"', 'log.level'],
    ['[limits]\npeers_max = 1', 'limits.peers_max'],
    ['network_secret = "short"', 'network_secret'],
  ])('names the key of a wrong value: %s', (text, key) => {
    const error = refusal(() => loadConfig({ file: file(text) }));
    expect(error.code).toBe('BAD_CONFIG');
    expect(error.message).toMatch(new RegExp(`^${key}[ (]`));
    expect(error.message).toContain('file ');
    expect(error.hint).not.toBe('');
  });

  it('says the line of a file that is no TOML', () => {
    const error = refusal(() => loadConfig({ file: file('network = "a"\nlisten = [\n') }));
    expect(error.code).toBe('BAD_CONFIG');
    expect(error.message).toMatch(/line \d/);
  });

  it('reads a network secret only from a file that is nobody else’s', () => {
    const path = file('correct horse battery\n');
    chmodSync(path, 0o644);
    if (process.platform !== 'win32') {
      const error = refusal(() => loadConfig({ flags: { network_secret_file: path } }));
      expect(error.code).toBe('KEY_PERMISSIONS');
      expect(error.hint).toContain(`chmod 600 ${path}`);
    }
    chmodSync(path, 0o600);
    expect(loadConfig({ flags: { network_secret_file: path } }).networkSecret).toBe('correct horse battery');
    expect(configKeys.filter((key) => key.secret && key.flag !== undefined)).toEqual([]);
  });

  it('refuses two secrets at once', () => {
    const path = file('correct horse battery\n');
    const env = { MOLIA_NETWORK_SECRET: 'another secret', MOLIA_NETWORK_SECRET_FILE: path };
    expect(refusal(() => loadConfig({ env })).message).toContain('both');
  });

  it('has an example file that, uncommented, is the default configuration', () => {
    const uncommented = exampleFile()
      .split('\n')
      .map((line) => line.replace(/^# (?=[a-z_]+ = )/, ''))
      .join('\n');
    for (const key of configKeys) {
      expect(exampleFile()).toContain(key.doc);
      expect(exampleFile()).toContain(key.env);
    }
    const config = loadConfig({ file: file(uncommented) });
    for (const entry of config.entries) expect(entry.value, entry.key.path).toEqual(entry.key.default);
  });
});
