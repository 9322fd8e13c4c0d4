import { createSeededRng } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { DiskAction, DiskOutcome, type DiskRequest, SimDisk } from '../src/index.ts';

const NOTHING = new Uint8Array(0);
const request = (kind: number, file: number, rest: Partial<DiskRequest> = {}): DiskRequest => {
  return { kind, file, target: 0, position: 0, bytes: NOTHING, offset: 0, length: 0, ...rest };
};
const write = (file: number, position: number, bytes: Uint8Array): DiskRequest =>
  request(DiskAction.WRITE, file, { position, bytes, length: bytes.length });

/** A disk with file 1 of `size` bytes, durable in content and name. */
function withFile(seed: number, size: number): SimDisk {
  const disk = new SimDisk(createSeededRng(seed));
  disk.execute(request(DiskAction.CREATE, 1, { length: size }));
  disk.execute(request(DiskAction.SYNC, 1));
  disk.execute(request(DiskAction.SYNC_DIRECTORY, 0));
  return disk;
}

function content(disk: SimDisk, file: number): string {
  const out = new Uint8Array(4096);
  const length = disk.read(file, 0, out, 0, out.length);
  return length < 0 ? 'missing' : [...out.subarray(0, length)].filter((_, i) => i % 512 === 0).join('');
}

/** What is left of file 1 after a crash, over many seeds. */
function after(prepare: (disk: SimDisk) => void, file = 1): Set<string> {
  const seen = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    const disk = withFile(seed, 2048);
    prepare(disk);
    disk.crash();
    seen.add(content(disk, file));
  }
  return seen;
}

const ones = new Uint8Array(2048).fill(1);

describe('a simulated disk', () => {
  it('keeps what was synced through any crash', () => {
    const left = after((disk) => {
      disk.execute(write(1, 0, ones));
      disk.execute(request(DiskAction.SYNC, 1));
    });
    expect(left).toEqual(new Set(['1111']));
  });

  it('may keep, lose or tear what was not, sector by sector', () => {
    const left = after((disk) => disk.execute(write(1, 0, ones)));
    expect(left).toContain('0000');
    expect(left).toContain('1111');
    expect([...left].some((sectors) => /01/.test(sectors))).toBe(true);
    expect(left.size).toBeGreaterThan(8);
  });

  it('may lose a rename and a new file until the directory is synced', () => {
    const renamed = (synced: boolean) => (disk: SimDisk) => {
      disk.execute(request(DiskAction.RENAME, 1, { target: 2 }));
      if (synced) disk.execute(request(DiskAction.SYNC_DIRECTORY, 0));
    };
    expect(after(renamed(false), 2)).toEqual(new Set(['missing', '0000']));
    expect(after(renamed(true), 2)).toEqual(new Set(['0000']));
    expect(after(renamed(true), 1)).toEqual(new Set(['missing']));
  });

  it('reads what was written, synced or not, until a crash', () => {
    const disk = withFile(1, 512);
    disk.execute(write(1, 1, Uint8Array.of(5, 6)));
    const out = new Uint8Array(3);
    expect(disk.execute(request(DiskAction.READ, 1, { bytes: out, length: 3 }))).toBe(3);
    expect([...out]).toEqual([0, 5, 6]);
    expect(disk.read(1, 511, out, 0, 3)).toBe(1);
    expect(disk.read(9, 0, out, 0, 3)).toBe(-1);
    expect(disk.list()).toEqual([{ file: 1, size: 512 }]);
  });

  it('runs full, turns read-only and fails as told', () => {
    const disk = withFile(1, 512);
    disk.bytesMax = 600;
    expect(disk.execute(write(1, 512, new Uint8Array(100)))).toBe(DiskOutcome.FULL);
    disk.isReadOnly = true;
    expect(disk.execute(write(1, 0, new Uint8Array(1)))).toBe(DiskOutcome.READ_ONLY);
    disk.isReadOnly = false;
    disk.failPerMille = 1000;
    expect(disk.execute(request(DiskAction.SYNC, 1))).toBe(DiskOutcome.FAILED);
  });

  it('may forget at a failed sync what it was to save', () => {
    const left = new Set<string>();
    for (let seed = 0; seed < 50; seed++) {
      const disk = withFile(seed, 512);
      disk.execute(write(1, 0, Uint8Array.of(7)));
      disk.failPerMille = 1000;
      disk.execute(request(DiskAction.SYNC, 1));
      left.add(content(disk, 1));
    }
    expect(left).toEqual(new Set(['0', '7']));
  });
});
