/**
 * Real files: 256 MiB put into 20 daemon processes, 4 of them killed, read back identical, repaired to 14 shards a stripe;
 * the memory of the process that puts. Minutes of work: `npm run test:long` alone runs it.
 */
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createSeededRng, randomBelow } from '@molia/core';
import { afterAll, expect, it } from 'vitest';
import { connectControl } from '../../src/control-client.ts';
import {
  cleanUp,
  endOf,
  eventually,
  molia,
  type Running,
  startDaemon,
  temporaryDirectory,
} from '../support.ts';

const MIB = 1024 * 1024;
const BLOB_MIB = 256;
const NODES = 20;
const KILLED = 4;
/** What putting may add to a daemon's memory. */
const GROWTH_BYTES_MAX = 150e6;

afterAll(cleanUp);

/** A file of random bytes, and its hash. */
function randomFile(path: string, mib: number): string {
  const rng = createSeededRng(256);
  const hash = createHash('sha256');
  const piece = new Uint8Array(MIB);
  const file = openSync(path, 'w');
  for (let i = 0; i < mib; i++) {
    rng.fill(piece, 0, MIB);
    hash.update(piece);
    writeSync(file, piece);
  }
  closeSync(file);
  return hash.digest('hex');
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece as Uint8Array);
  return hash.digest('hex');
}

it.runIf(process.env['MOLIA_LONG'] === '1')(
  `a blob of ${BLOB_MIB} MiB survives the loss of ${KILLED} of ${NODES} processes`,
  { timeout: 3_600_000 },
  async () => {
    const dir = temporaryDirectory();
    const nodes: Running[] = [await startDaemon(temporaryDirectory())];
    const seeds = (nodes[0] as Running).started['seeds'] as string[];
    while (nodes.length < NODES) {
      nodes.push(await startDaemon(temporaryDirectory(), ['--seed', seeds[0] as string]));
    }
    const at = (index: number) => nodes[index] as Running;
    const control = (index: number) => connectControl(at(index).dataDir, undefined);
    for (let i = 0; i < NODES; i++) {
      await eventually(`node ${i} knows its neighbours`, 120_000, async () => {
        return Number((await control(i).json('GET', 'status'))['contacts']) >= NODES - 3;
      });
    }
    const blob = async (index: number, args: string[]) => {
      const done = await molia(['blob', ...args, '--json', '--data-dir', at(index).dataDir]);
      expect(done.code, done.stdout + done.stderr).toBe(0);
      return JSON.parse(done.stdout) as Record<string, unknown>;
    };

    const file = join(dir, 'content');
    const hash = randomFile(file, BLOB_MIB);
    const rss = async () => Number((await control(1).json('GET', 'status'))['rssBytes']);
    const idle = await rss();
    let peak = idle;
    let putting = true;
    const watch = (async () => {
      while (putting) {
        peak = Math.max(peak, await rss());
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
    })();
    const put = await blob(1, ['put', file]);
    putting = false;
    await watch;
    console.log(
      `put ${BLOB_MIB} MiB in ${put['elapsedMs']} ms; memory of the putting process +${peak - idle} bytes`,
    );
    expect(put['holdersMin']).toBe(14);
    // It is a holder of the shards of others too, but of none of these.
    expect(peak - idle).toBeLessThan(GROWTH_BYTES_MAX);

    const key = String(put['key']);
    const rng = createSeededRng(4);
    const victims = new Set<number>();
    while (victims.size < KILLED) victims.add(2 + randomBelow(rng, NODES - 3));
    await Promise.all([...victims].map((i) => endOf(at(i).child, 'SIGKILL')));

    const reader = NODES - 1;
    const copy = join(dir, 'copy');
    await blob(reader, ['get', key, '-o', copy]);
    expect(await hashOf(copy)).toBe(hash);
    const repair = await blob(reader, ['repair', key]);
    console.log(`repaired ${repair['rebuilt']} of ${put['shards']} shards`);
    expect(repair['lost']).toBe(0);
    expect(repair['missing']).toBeGreaterThan(0);
    expect(repair['rebuilt']).toBe(repair['missing']);
    expect(await blob(0, ['status', key])).toMatchObject({ missing: 0, presentMin: 14 });
  },
);
