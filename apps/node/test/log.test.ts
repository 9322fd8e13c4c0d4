import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createLog, prettyLine } from '../src/log.ts';

const dir = mkdtempSync(join(tmpdir(), 'molia-log-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const KEY = 'ab12'.repeat(16);

describe('the log', () => {
  it('keeps no whole key, address or secret, wherever it stands in a line', async () => {
    const logFile = join(dir, 'scrubbed.log');
    const log = await createLog({ logFile, logFormat: 'json', logLevel: 'info' });
    log.info(
      { peer: KEY, deep: { at: '203.0.113.77:4100' }, networkSecret: 'hunter2' },
      `met ${KEY} at [2001:db8:1:2::3]:9`,
    );
    log.error({ error: new Error(`no answer from 198.51.100.9:1`) }, 'failed');
    log.debug('below the level');
    log.flush();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const text = readFileSync(logFile, 'utf8');
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map((line) => line.level)).toEqual(['info', 'error']);
    expect(lines[0]).toMatchObject({ peer: 'ab12ab12…', pid: process.pid });
    for (const secret of [KEY, '113.77', '100.9', 'hunter2', 'db8:1:2']) expect(text).not.toContain(secret);
    expect(statSync(logFile).mode & 0o777).toBe(0o600);
  });

  it('says when its file cannot be opened', async () => {
    const attempt = createLog({ logFile: join(dir, 'none', 'x.log'), logFormat: 'json', logLevel: 'info' });
    await expect(attempt).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  });

  it('shows people the time, the level, the message and the rest', () => {
    const line = JSON.stringify({
      level: 'warn',
      time: '2026-01-02T12:30:45.678Z',
      pid: 1,
      msg: 'no peer',
      code: 'NO_PEERS',
      n: 2,
    });
    expect(prettyLine(line)).toBe('12:30:45 warn  no peer  code=NO_PEERS n=2\n');
    expect(prettyLine('not JSON')).toBe('not JSON');
  });
});
