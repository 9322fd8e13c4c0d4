/** What a client process is asked to do, and how it is timed: the same code for every driver. */
import { randomBytes } from 'node:crypto';
import type { Client } from './driver.ts';

export type Task =
  | { readonly kind: 'store'; readonly count: number; readonly valueBytes: number }
  | {
      readonly kind: 'rate';
      readonly operation: Operation;
      readonly inFlight: number;
      readonly seconds: number;
    };

export type Operation = 'lookup' | 'ping' | 'findNode' | 'get' | 'put';

export interface StoreResult {
  /** Milliseconds for each attempt; null = failed. */
  readonly putMs: (number | null)[];
  readonly getMs: (number | null)[];
}

export interface RateResult {
  readonly done: number;
  readonly failed: number;
  readonly seconds: number;
  readonly cpuMicros: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export async function runTask(task: Task, writer: Client, reader: Client): Promise<StoreResult | RateResult> {
  return task.kind === 'store'
    ? store(task.count, task.valueBytes, writer, reader)
    : rate(task, writer, reader);
}

/** Puts one after another, then gets each from another node: latency without queueing. */
async function store(
  count: number,
  valueBytes: number,
  writer: Client,
  reader: Client,
): Promise<StoreResult> {
  const putMs: (number | null)[] = [];
  const getMs: (number | null)[] = [];
  const keys: unknown[] = [];
  const values: Buffer[] = [];
  for (let i = 0; i < count; i++) {
    const value = randomBytes(valueBytes);
    const t = performance.now();
    try {
      keys.push(await writer.put(value));
      values.push(value);
      putMs.push(performance.now() - t);
    } catch {
      putMs.push(null);
    }
  }
  for (const [i, key] of keys.entries()) {
    const t = performance.now();
    try {
      const got = await reader.get(key);
      getMs.push(Buffer.compare(values[i] as Buffer, got) === 0 ? performance.now() - t : null);
    } catch {
      getMs.push(null);
    }
  }
  return { putMs, getMs };
}

/** Keeps `inFlight` operations under way for `seconds`; the slowest are waited for and counted. */
async function rate(
  task: Extract<Task, { kind: 'rate' }>,
  writer: Client,
  reader: Client,
): Promise<RateResult> {
  const { operation, inFlight, seconds } = task;
  const keys: unknown[] = [];
  if (operation === 'get') for (let i = 0; i < 64; i++) keys.push(await writer.put(randomBytes(200)));
  let turn = 0;
  const once = (): Promise<unknown> => {
    if (operation === 'lookup') return reader.lookup(randomBytes(32));
    if (operation === 'ping') return reader.ping();
    if (operation === 'put') return writer.put(randomBytes(200));
    if (operation === 'get') return reader.get(keys[turn++ % keys.length]);
    if (!reader.findNode) throw new Error('this library has no FIND_NODE call');
    return reader.findNode(randomBytes(32));
  };
  // One warm-up round, so that code is compiled and sessions stand before anything is counted.
  const warmUntil = performance.now() + Math.min(1000, seconds * 300);
  const loop = async (until: number, sample?: (ms: number, ok: boolean) => void): Promise<void> => {
    while (performance.now() < until) {
      const t = performance.now();
      let ok = true;
      await once().catch(() => {
        ok = false;
      });
      sample?.(performance.now() - t, ok);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, () => loop(warmUntil)));
  const latencies: number[] = [];
  let failed = 0;
  const cpu = process.cpuUsage();
  const start = performance.now();
  await Promise.all(
    Array.from({ length: inFlight }, () =>
      loop(start + seconds * 1000, (ms, ok) => {
        if (ok) latencies.push(ms);
        else failed++;
      }),
    ),
  );
  const elapsed = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  const at = (q: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(q * latencies.length))] ?? Number.NaN;
  return {
    done: latencies.length,
    failed,
    seconds: elapsed,
    cpuMicros: user + system,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: latencies.at(-1) ?? Number.NaN,
  };
}
