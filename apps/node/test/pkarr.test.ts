/** `molia pkarr`: keys in files. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Keypair } from '@molia/pkarr';
import { afterAll, describe, expect, it } from 'vitest';
import { cleanUp, molia, temporaryDirectory } from './support.ts';

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
