/** The two measurements that a client program makes of itself. The programs in `peers` do the same. */
import { randomBytes } from 'node:crypto';
import type { Rate, Stored } from './program.ts';

export interface MainlineClient {
  put(value: Uint8Array): Promise<Uint8Array>;
  /** The value, or `undefined` when nobody has it. */
  get(target: Uint8Array): Promise<Uint8Array | undefined>;
}

export async function store(
  writer: MainlineClient,
  reader: MainlineClient,
  count: number,
  valueBytes: number,
): Promise<Stored> {
  const putMs: (number | null)[] = [];
  const getMs: (number | null)[] = [];
  const stored: { target: Uint8Array; value: Uint8Array }[] = [];
  for (let i = 0; i < count; i++) {
    const value = new Uint8Array(randomBytes(valueBytes));
    const start = performance.now();
    try {
      stored.push({ target: await writer.put(value), value });
      putMs.push(performance.now() - start);
    } catch {
      putMs.push(null);
    }
  }
  for (const { target, value } of stored) {
    const start = performance.now();
    const found = await reader.get(target).catch(() => undefined);
    const ms = performance.now() - start;
    getMs.push(found !== undefined && Buffer.compare(found, value) === 0 ? ms : null);
  }
  return { putMs, getMs };
}

/** Keeps `inFlight` searches under way for so many seconds, and waits for the last ones. */
export async function lookups(reader: MainlineClient, inFlight: number, seconds: number): Promise<Rate> {
  let done = 0;
  let failed = 0;
  const start = performance.now();
  const until = start + seconds * 1000;
  const loop = async (): Promise<void> => {
    while (performance.now() < until) {
      await reader.get(new Uint8Array(randomBytes(20))).then(
        () => done++,
        () => failed++,
      );
    }
  };
  await Promise.all(Array.from({ length: inFlight }, loop));
  return { done, failed, seconds: (performance.now() - start) / 1000 };
}
