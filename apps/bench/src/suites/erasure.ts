/**
 * Reed-Solomon 10:4: encoding, and recovering four lost data shards, at 1 MiB and at 64 MiB of data. Every
 * implementation recovers real losses and is compared before it is timed; who works on one array for all shards gets one.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CODINGS, createReedSolomon, type KernelName, type ReedSolomon } from '@molia/erasure';
import { type NativeGaloisName, nativeGalois } from '@molia/native-shard';
import { peerCommonJs } from '../peer-modules.ts';
import type { Report, Row } from '../report.ts';
import { medians } from '../statistics.ts';

const CODING = CODINGS['10:4'];
const SHARDS = CODING.data + CODING.parity;
const LOST = 4;
const KERNELS: readonly KernelName[] = ['wasm-relaxed', 'wasm-simd', 'scalar'];
const NATIVES: readonly NativeGaloisName[] = ['avx512-gfni', 'avx2-gfni', 'avx2'];

/** One implementation on its own copy of the shards. */
interface Coder {
  encode(): void | Promise<void>;
  /** Recovers the first `LOST` shards from the rest. */
  recover(): void | Promise<void>;
  /** The shards as they are now. */
  shards(): Uint8Array[];
}
interface Subject {
  readonly name: string;
  /** Rejects when the library is not to be had here. */
  open(data: readonly Uint8Array[]): Promise<Coder>;
}

export async function erasure(options: { seconds: number; runs: number }, report: Report): Promise<void> {
  const subjects = [
    ...NATIVES.map(moliaNative),
    ...KERNELS.flatMap(molia),
    ronomon,
    ...CONTIGUOUS.map(contiguous),
    wasmBindgen,
  ];
  for (const [title, shardBytes] of [
    ['1 MiB', 104_896],
    ['64 MiB', 6_710_912],
  ] as const) {
    const data = testShards(shardBytes);
    const runs = new Map<string, Record<string, number>[]>();
    for (let run = 0; run < options.runs; run++) {
      for (const subject of subjects) {
        report.progress(`erasure, ${title}, run ${run + 1}: ${subject.name}`);
        try {
          const rates = await measure(subject, data, options.seconds * 1000);
          runs.set(subject.name, [...(runs.get(subject.name) ?? []), rates]);
        } catch (error) {
          report.progress(`skipped ${subject.name}: ${(error as Error).message}`);
        }
      }
      const rates = isaL(shardBytes, options.seconds * 1000, report);
      if (rates !== undefined) runs.set(ISA_L, [...(runs.get(ISA_L) ?? []), rates]);
    }
    const rows: Row[] = [...runs].map(([name, all]) => ({ name, values: medians(all), runs: all }));
    report.table(`erasure: Reed-Solomon 10:4 on one thread, ${title} of data`, rows);
  }
}

function testShards(bytes: number): Uint8Array[] {
  return Array.from({ length: CODING.data }, (_, i) => {
    const shard = new Uint8Array(bytes);
    for (let k = 0; k < bytes; k++) shard[k] = Math.imul(k, 0x9e3779b1) >>> (9 + (i & 7));
    return shard;
  });
}

async function measure(
  subject: Subject,
  data: readonly Uint8Array[],
  ms: number,
): Promise<Record<string, number>> {
  const coder = await subject.open(data);
  await coder.encode();
  for (const shard of coder.shards().slice(0, LOST)) shard.fill(0);
  await coder.recover();
  const found = coder.shards();
  for (const [i, shard] of data.entries()) {
    if (Buffer.compare(shard, found[i] as Uint8Array) !== 0) throw new Error(`shard ${i} was not recovered`);
  }
  const bytes = data.length * (data[0] as Uint8Array).length;
  return {
    'encode GB/s': bytes / (await best(() => coder.encode(), ms)) / 1e6,
    'recover 4 GB/s': bytes / (await best(() => coder.recover(), ms)) / 1e6,
  };
}

/** Milliseconds of the fastest of as many calls as fit the time, at least three: other load on the machine only slows. */
async function best(operation: () => void | Promise<void>, ms: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  const end = performance.now() + ms;
  for (let i = 0; i < 3 || performance.now() < end; i++) {
    const start = performance.now();
    const waited = operation();
    if (waited !== undefined) await waited;
    least = Math.min(least, performance.now() - start);
  }
  return least;
}

function coderOf(
  rs: ReedSolomon,
  bytes: number,
  data: readonly Uint8Array[],
  allocate: () => Uint8Array,
): Coder {
  const shards = Array.from({ length: SHARDS }, allocate);
  for (const [i, shard] of data.entries()) (shards[i] as Uint8Array).set(shard);
  const present = shards.map((_, i) => (i < LOST ? 0 : 1));
  const wanted = shards.map((_, i) => (i < LOST ? 1 : 0));
  return {
    encode: () => rs.encode(shards, 0, bytes),
    recover: () => {
      rs.reconstruct(shards, present, wanted, 0, bytes);
    },
    shards: () => shards,
  };
}

function molia(kernel: KernelName): Subject[] {
  const open = (own: boolean) => async (data: readonly Uint8Array[]) => {
    const bytes = (data[0] as Uint8Array).length;
    const rs = createReedSolomon({ ...CODING, kernel, arenaBytes: own ? SHARDS * (bytes + 128) : 0 });
    return coderOf(rs, bytes, data, () => (own ? rs.allocate(bytes) : new Uint8Array(bytes)));
  };
  if (kernel === 'scalar') return [{ name: '@molia/erasure scalar', open: open(false) }];
  return [
    { name: `@molia/erasure ${kernel}`, open: open(true) },
    { name: `@molia/erasure ${kernel}, any arrays`, open: open(false) },
  ];
}

/** With the addon's multiplication, one way after the other. */
function moliaNative(name: NativeGaloisName): Subject {
  return {
    name: `@molia/erasure with the addon, ${name}`,
    open: async (data) => {
      const galois = nativeGalois(name);
      if (galois === undefined) throw new Error('no addon, or no such instructions');
      const bytes = (data[0] as Uint8Array).length;
      const rs = createReedSolomon({ ...CODING, galois });
      return coderOf(rs, bytes, data, () => new Uint8Array(bytes));
    },
  };
}

interface Ronomon {
  create(k: number, m: number): unknown;
  encode(...args: unknown[]): void;
}

/** Native; works in a thread of its own, whose round trip is part of it. */
const ronomon: Subject = {
  name: '@ronomon/reed-solomon (native)',
  open: async (data) => {
    const library = (await peerCommonJs('@ronomon/reed-solomon')) as Ronomon;
    const context = library.create(CODING.data, CODING.parity);
    const bytes = (data[0] as Uint8Array).length;
    const content = Buffer.concat(data);
    const parity = Buffer.alloc(bytes * CODING.parity);
    const run = (sources: number, targets: number) =>
      new Promise<void>((resolve, reject) => {
        const done = (error?: Error) => (error ? reject(error) : resolve());
        library.encode(context, sources, targets, content, 0, content.length, parity, 0, parity.length, done);
      });
    const lost = 2 ** LOST - 1;
    return {
      encode: () => run(2 ** CODING.data - 1, 2 ** SHARDS - 2 ** CODING.data),
      recover: () => run(2 ** SHARDS - 1 - lost, lost),
      shards: () => [...cut(content, bytes), ...cut(parity, bytes)],
    };
  },
};

const CONTIGUOUS = [
  '@subspace/reed-solomon-erasure.wasm',
  '@digitaldefiance/reed-solomon-erasure.wasm',
] as const;

interface Contiguous {
  ReedSolomonErasure: {
    fromCurrentDirectory(): Promise<{
      encode(shards: Uint8Array, data: number, parity: number): number;
      reconstruct(shards: Uint8Array, data: number, parity: number, available: boolean[]): number;
    }>;
  };
}

/** Two builds of one Rust crate, with one array for all shards. */
function contiguous(name: string): Subject {
  return {
    name,
    open: async (data) => {
      const { ReedSolomonErasure } = (await peerCommonJs(name)) as Contiguous;
      const library = await ReedSolomonErasure.fromCurrentDirectory();
      const bytes = (data[0] as Uint8Array).length;
      const all = new Uint8Array(bytes * SHARDS);
      for (const [i, shard] of data.entries()) all.set(shard, i * bytes);
      const available = Array.from({ length: SHARDS }, (_, i) => i >= LOST);
      const check = (code: number) => {
        if (code !== 0) throw new Error(`result ${code}`);
      };
      return {
        encode: () => check(library.encode(all, CODING.data, CODING.parity)),
        recover: () => check(library.reconstruct(all, CODING.data, CODING.parity, available)),
        shards: () => cut(all, bytes),
      };
    },
  };
}

interface WasmBindgen {
  encode(data: Uint8Array[], parity: number): Uint8Array[];
  reconstruct(shards: Uint8Array[], parity: number, dead: Uint32Array): Uint8Array[];
}

const wasmBindgen: Subject = {
  name: 'wasm-reed-solomon-erasure',
  open: async (data) => {
    const library = (await peerCommonJs('wasm-reed-solomon-erasure')) as WasmBindgen;
    const dead = Uint32Array.from({ length: LOST }, (_, i) => i);
    const given: Uint8Array[] = data.map((shard) => shard.slice());
    let shards: Uint8Array[] = given;
    return {
      encode: () => {
        shards = library.encode(given, CODING.parity);
      },
      recover: () => {
        shards = library.reconstruct(shards, CODING.parity, dead);
      },
      shards: () => shards,
    };
  },
};

function cut(all: Uint8Array, bytes: number): Uint8Array[] {
  return Array.from({ length: all.length / bytes }, (_, i) => all.subarray(i * bytes, (i + 1) * bytes));
}

const ISA_L = 'ISA-L (C)';

/** Compiled here, when a compiler and the library are; aloud when not. */
function isaL(shardBytes: number, ms: number, report: Report): Record<string, number> | undefined {
  const source = join(dirname(dirname(fileURLToPath(import.meta.url))), 'peers/isa-l.c');
  const folder = mkdtempSync(join(tmpdir(), 'molia-isa-l-'));
  try {
    const program = join(folder, 'isa-l');
    execFileSync('cc', ['-O2', '-o', program, source, '-lisal'], { stdio: 'pipe' });
    const output = execFileSync(program, [String(shardBytes), String(ms)], { encoding: 'utf8' });
    const [encode, recover] = output.trim().split(' ').map(Number);
    return { 'encode GB/s': encode as number, 'recover 4 GB/s': recover as number };
  } catch (error) {
    report.progress(
      `skipped ISA-L (Debian: libisal-dev and a C compiler): ${(error as Error).message.split('\n')[0]}`,
    );
    return undefined;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
