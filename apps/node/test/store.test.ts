/** `molia store verify|dump` on the directory of a daemon: while it runs, after it stopped, and after damage. */
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cleanUp, endOf, molia, startDaemon, temporaryDirectory } from './support.ts';

let dataDir = '';
let key = '';
const value = 'a value that can be found in its segment';

beforeAll(async () => {
  dataDir = temporaryDirectory();
  const daemon = await startDaemon(dataDir);
  const put = await molia(['put', '-', '--data-dir', dataDir, '--json'], { input: value });
  key = (JSON.parse(put.stdout) as { key: string }).key;
  const running = await molia(['store', 'verify', '--data-dir', dataDir]);
  expect(running.code).toBe(1);
  expect(running.stderr).toMatch(
    new RegExp(`^molia: DATA_DIR_LOCKED: a daemon \\(pid ${daemon.child.pid}\\) uses .*molia stop`),
  );
  expect(await endOf(daemon.child, 'SIGTERM')).toBe(0);
});
afterAll(cleanUp);

/** A copy of the stopped daemon's stores, to be damaged. */
function copied(): string {
  const path = temporaryDirectory();
  for (const store of ['records', 'peerstore']) {
    mkdirSync(join(path, store));
    for (const name of readdirSync(join(dataDir, store)))
      copyFileSync(join(dataDir, store, name), join(path, store, name));
  }
  return path;
}

const contents = (path: string): [string, string][] =>
  ['records', 'peerstore'].flatMap((store) =>
    readdirSync(join(path, store))
      .sort()
      .map((name): [string, string] => [name, readFileSync(join(path, store, name)).toString('hex')]),
  );

describe('molia store', () => {
  it('finds a stopped daemon’s stores whole and leaves every byte as it is', async () => {
    const path = copied();
    const before = contents(path);
    const { code, stdout, stderr } = await molia(['store', 'verify', '--data-dir', path]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^records: whole; 1 segments, \d+ frames, .*snapshot: whole$/m);
    expect(stdout).toMatch(/^peerstore: whole; /m);
    const json = await molia(['store', 'verify', '--data-dir', path, '--json']);
    const lines = json.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { v: 1, store: 'records', isThere: true, isWhole: true, missing: [], segments: [{ damagedBytes: 0 }] },
      { v: 1, store: 'peerstore', isThere: true, isWhole: true },
    ]);
    expect(contents(path)).toEqual(before);
  });

  it('reads a directory that cannot be written', async () => {
    const path = copied();
    for (const store of ['records', 'peerstore']) {
      for (const name of readdirSync(join(path, store))) chmodSync(join(path, store, name), 0o400);
      chmodSync(join(path, store), 0o500);
    }
    const { code, stderr } = await molia(['store', 'verify', '--data-dir', path]);
    for (const store of ['records', 'peerstore']) chmodSync(join(path, store), 0o700);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('lists what the log holds, by store, and no value', async () => {
    const { code, stdout } = await molia(['store', 'dump', 'records', '--data-dir', dataDir]);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^records 1:\\d+ put ${key} \\d+ B$`, 'm'));
    expect(stdout).not.toContain(value);
    const json = await molia(['store', 'dump', '--data-dir', dataDir, '--json']);
    const lines = json.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toContainEqual(expect.objectContaining({ v: 1, store: 'records', kind: 'put', key }));
    expect(new Set(lines.map(({ store }) => store))).toEqual(new Set(['records', 'peerstore']));
  });

  it('ends with status 1 and names the file when a bit is flipped', async () => {
    const path = copied();
    const file = join(path, 'records', '00000001.segment');
    const bytes = readFileSync(file);
    const at = bytes.indexOf(value);
    expect(at).toBeGreaterThan(0);
    bytes[at] = (bytes[at] as number) ^ 1;
    writeFileSync(file, bytes);
    const { code, stdout, stderr } = await molia(['store', 'verify', '--data-dir', path]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^records: DAMAGED; /m);
    // Within the segment, or at its end when it was the last record.
    expect(stdout).toMatch(/^ {2}00000001\.segment: \d+ bytes (do not verify|are gone from its end)$/m);
    expect(stderr).toMatch(/^molia: STORE_DAMAGED: records: /);
    const dumped = await molia(['store', 'dump', 'records', '--data-dir', path]);
    expect({ code: dumped.code, hasKey: dumped.stdout.includes(key) }).toEqual({ code: 1, hasKey: false });
    const json = await molia(['store', 'verify', '--data-dir', path, '--json']);
    expect(JSON.parse(json.stdout.trim().split('\n').at(-1) as string)).toMatchObject({
      v: 1,
      error: { code: 'STORE_DAMAGED' },
    });
  });

  it('ends with status 1 when a segment or a whole store is gone', async () => {
    const path = copied();
    rmSync(join(path, 'records', '00000001.segment'));
    rmSync(join(path, 'peerstore'), { recursive: true });
    const { code, stdout, stderr } = await molia(['store', 'verify', '--data-dir', path]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^ {2}00000001\.segment: missing$/m);
    expect(stdout).toMatch(/^peerstore: not there$/m);
    expect(stderr).toMatch(/^molia: STORE_DAMAGED: records and peerstore: /);
  });

  it('refuses a directory that another process has open, one without stores, and an unknown store', async () => {
    const path = copied();
    writeFileSync(join(path, 'records', 'lock'), JSON.stringify({ v: 1, pid: process.pid, started: '' }));
    const locked = await molia(['store', 'verify', '--data-dir', path]);
    expect(locked.stderr).toMatch(
      new RegExp(`^molia: STORE_LOCKED: .*in use by process ${process.pid}\\. stop`, 'i'),
    );
    expect(locked.code).toBe(1);
    const empty = await molia(['store', 'verify', '--data-dir', temporaryDirectory()]);
    expect(empty.stderr).toMatch(/^molia: FILE_NOT_FOUND: there is no records and no peerstore in /);
    expect(empty.code).toBe(1);
    const unknown = await molia(['store', 'dump', 'blobs', '--data-dir', dataDir]);
    expect(unknown.stderr).toMatch(/^molia: INVALID_ARGUMENT: store: expected records or peerstore/);
    expect(unknown.code).toBe(2);
  });
});
