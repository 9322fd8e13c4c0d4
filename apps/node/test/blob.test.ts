/** `molia blob`: content of any length through the daemon's control API, by the built program. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSeededRng } from '@molia/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { barLine, ProgressBar } from '../src/progress-bar.ts';
import { cleanUp, molia, type Running, startDaemon, temporaryDirectory } from './support.ts';

const MIB = 1024 * 1024;

describe('the progress bar', () => {
  it('shows share, size and rate, and only size and rate when the end is not known', () => {
    expect(barLine({ bytes: 5 * MIB, bytesTotal: 20 * MIB, elapsedMs: 2000 })).toBe(
      '[######..................] 25 %  5.0 MiB of 20 MiB  2.5 MiB/s',
    );
    expect(barLine({ bytes: 2048, bytesTotal: undefined, elapsedMs: 1000 })).toBe('2.0 KiB  2.0 KiB/s');
    expect(barLine({ bytes: 0, bytesTotal: 0, elapsedMs: 0 })).toBe(
      '[########################] 100 %  0 B of 0 B',
    );
  });
  it('draws on a terminal alone, and takes itself away', () => {
    const drawn: string[] = [];
    const write = (text: string | Uint8Array) => drawn.push(String(text)) > 0;
    const state = { bytes: 1, bytesTotal: 1, elapsedMs: 1 };
    for (const [isTTY, quiet] of [
      [false, false],
      [true, true],
    ] as const) {
      const bar = new ProgressBar(quiet, { isTTY, write });
      bar.draw(state);
      bar.end();
    }
    expect(drawn).toEqual([]);
    const bar = new ProgressBar(false, { isTTY: true, write });
    bar.draw(state);
    bar.end();
    expect(drawn).toEqual([`\r\x1b[K${barLine(state)}`, '\r\x1b[K']);
  });
});

describe('molia blob', { timeout: 180_000 }, () => {
  const dir = temporaryDirectory();
  const dataDir = join(dir, 'data');
  const file = join(dir, 'content');
  const content = new Uint8Array(2 * MIB + 77);
  let running: Running;
  beforeAll(async () => {
    createSeededRng(5).fill(content, 0, content.length);
    writeFileSync(file, content);
    mkdirSync(dataDir, { mode: 0o700 });
    running = await startDaemon(dataDir, [], { verb: ['testnet', '20'] });
  }, 120_000);
  afterAll(cleanUp);
  const blob = (args: string[], options = {}) => molia(['blob', ...args, '--data-dir', dataDir], options);

  it('has examples for each of its verbs', async () => {
    expect((await molia(['help', 'blob'])).stdout).toContain('molia blob put film.mkv');
    for (const verb of ['put', 'get', 'status', 'repair']) {
      const { code, stdout } = await molia(['blob', verb, '--help']);
      expect(code).toBe(0);
      expect(stdout).toMatch(new RegExp(`Examples:\\n(.*\\n)*  \\$ .*molia blob ${verb}`));
    }
  });

  it('puts a file, gets it into a file and to stdout, and a range of it', async () => {
    expect(running.started['event']).toBe('started');
    const put = await blob(['put', file]);
    expect(put.code, put.stderr).toBe(0);
    expect(put.stdout).toMatch(/^[0-9a-f]{64}\n$/);
    expect(put.stderr).toBe('2.0 MiB in 56 shards, those of a stripe on 14 nodes\n');
    const key = put.stdout.trim();
    const out = join(dir, 'copy');
    const got = await blob(['get', key, '-o', out, '--json']);
    expect(JSON.parse(got.stdout)).toEqual({ v: 1, key, bytes: content.length, file: out });
    expect(readFileSync(out).equals(content)).toBe(true);
    expect((await blob(['get', key])).stdoutBytes.equals(content)).toBe(true);
    const part = await blob(['get', key, '--start', '1000000', '--end', '1000010']);
    expect(part.stdoutBytes.equals(content.subarray(1_000_000, 1_000_010))).toBe(true);
    const status = JSON.parse((await blob(['status', key, '--json'])).stdout);
    expect(status).toMatchObject({ v: 1, key, bytes: content.length, checked: 56, missing: 0, readable: 4 });
    const repair = await blob(['repair', key]);
    expect(repair).toMatchObject({ code: 0, stdout: '0 of 56 shards were missing, 0 rebuilt\n' });
  });

  it('takes standard input, encrypts, and puts the same content under the same key', async () => {
    const args = ['put', '-', '--encrypt', 'convergent', '--coding', '6:3', '--json'];
    const first = JSON.parse((await blob(args, { input: content })).stdout);
    expect(first).toMatchObject({ v: 1, bytes: content.length, stripes: 6, shards: 54, holdersMin: 9 });
    expect(first.key).toMatch(/^[0-9a-f]{128}$/);
    expect(JSON.parse((await blob(args, { input: content })).stdout).key).toBe(first.key);
    const got = await blob(['get', first.key]);
    expect(createHash('sha256').update(got.stdoutBytes).digest('hex')).toBe(
      createHash('sha256').update(content).digest('hex'),
    );
    expect((await blob(['get', first.key.slice(0, 64)])).stderr).toContain('molia: UNSUPPORTED: ');
  });

  it('says what is wrong, and leaves no half a file', async () => {
    const missing = '0'.repeat(64);
    const out = join(dir, 'nothing');
    expect((await blob(['get', missing, '-o', out])).stderr).toMatch(/^molia: NOT_FOUND: /);
    expect(existsSync(out)).toBe(false);
    expect(readdirSync(dir).filter((name) => name.endsWith('.part'))).toEqual([]);
    expect((await blob(['get', 'abc'])).stderr).toMatch(/^molia: INVALID_KEY: /);
    expect((await blob(['get', missing, '--json'])).code).toBe(2);
    expect((await blob(['put', join(dir, 'absent')])).stderr).toMatch(/^molia: FILE_NOT_FOUND: /);
    expect((await blob(['put', dir])).stderr).toMatch(/^molia: FILE_UNREADABLE: .*it is a directory/);
    expect((await blob(['put', file, '--coding', '9:9'])).stderr).toMatch(/^molia: INVALID_ARGUMENT: .*10:4/);
    expect((await blob(['status', missing])).stderr).toMatch(/^molia: NOT_FOUND: /);
  });
});
