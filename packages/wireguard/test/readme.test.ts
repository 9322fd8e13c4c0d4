import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { expect, it } from 'vitest';
import * as limits from '../src/constants.ts';
import { DEFAULTS } from '../src/options.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

it('the limits of the README are those of the code', () => {
  const row = (name: string) => new RegExp(`^\\| ${name} \\| (.*?) \\|`, 'm').exec(readme)?.[1] ?? '';
  const numbers = (name: string) =>
    (row(name).replaceAll(',', '').match(/\d+/g) ?? []).map((digits) => Number(digits));
  expect(numbers('peers')).toEqual([DEFAULTS.peersMax, 2 ** 20]);
  expect(numbers('sessions of a peer')).toEqual([limits.SESSIONS_PER_PEER]);
  expect(numbers("messages waiting for one peer's handshake")).toEqual([DEFAULTS.queuedMessagesPerPeer]);
  expect(row('bytes of all waiting messages')).toContain(`${(DEFAULTS.queueBytesMax ?? 0) / 2 ** 20} MiB`);
  expect(numbers('bytes of all waiting messages')[1]).toBe(limits.QUEUED_MESSAGE_BYTES_MAX);
  expect(numbers('early message')).toEqual([
    limits.EARLY_MESSAGE_BYTES_MAX,
    limits.EXTENDED_INITIATION_BYTES_MAX,
  ]);
  expect(numbers('early answer')).toEqual([limits.AMPLIFICATION_MAX, limits.RESPONSE_BYTES]);
  expect(numbers('initiations before proof of address is asked for')).toEqual([
    DEFAULTS.handshakesPerSecondMax,
    DEFAULTS.handshakesBurst,
  ]);
  expect(row('initiations of one peer')).toBe(`one in ${limits.INITIATION_SPACING_MS} ms`);
});

it('the script behind the figures of the README runs', () => {
  const folder = mkdtempSync(join(tmpdir(), 'molia-wg-'));
  try {
    const outfile = join(folder, 'measure.mjs');
    buildSync({
      entryPoints: [fileURLToPath(new URL('./measure.ts', import.meta.url))],
      outfile,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'es2022',
      conditions: ['molia-src'],
      logLevel: 'error',
    });
    const root = fileURLToPath(new URL('../../..', import.meta.url));
    const output = execFileSync(process.execPath, ['--expose-gc', outfile, '0.01'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(
      output
        .trim()
        .split('\n')
        .map((line) => line.split(/[ ,:]/)[0]),
    ).toEqual(['handshake', 'handshake', 'engine', 'engine', 'engine', 'memory']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
