import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const folder = fileURLToPath(new URL('..', import.meta.url));
const bin = join(folder, 'node_modules', '.bin');
const proto = join(folder, '..', '..', 'proto');

function buf(cwd: string, ...args: string[]): string {
  const PATH = `${bin}${delimiter}${process.env['PATH'] ?? ''}`;
  return execFileSync(join(bin, 'buf'), args, { cwd, encoding: 'utf8', env: { ...process.env, PATH } });
}

function files(root: string): Map<string, string> {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  return new Map(names.sort().map((name) => [name, readFileSync(join(root, name), 'utf8')]));
}

it('the committed code is what the .proto files generate', () => {
  const out = mkdtempSync(join(tmpdir(), 'molia-gen-'));
  try {
    buf(folder, 'generate', '--output', out);
    const fresh = files(join(out, 'src', 'gen'));
    expect(fresh.size).toBeGreaterThan(1);
    expect(files(join(folder, 'src', 'gen'))).toEqual(fresh);
  } finally {
    rmSync(out, { recursive: true });
  }
});

it('the .proto files pass lint and are formatted', () => {
  expect(buf(proto, 'lint')).toBe('');
  expect(buf(proto, 'format', '--diff', '--exit-code')).toBe('');
});
