/** The compiled addon and its face. Everything that it is handed is checked by its callers, `native-udp.ts` and `galois.ts`. */
import { createRequire } from 'node:module';

/** Native memory layout: see native/udp.h. */
export const SLOT_BYTES = 1536;
export const BATCH_MAX = 64;
export const LOCAL_BYTES = 20;

export const OpenFlag = { REUSE_PORT: 1, DONT_FRAGMENT: 2 } as const;
export const NativeEvent = { RECEIVED: 0, MTU: 1, BROKEN: 2 } as const;

/** Cells of a socket's counters, in the order of the native enumeration. */
export const COUNTERS = [
  'datagramsIn',
  'bytesIn',
  'receiveCalls',
  'datagramsOut',
  'bytesOut',
  'sendCalls',
  'blocked',
  'truncated',
  'unreachable',
  'refused',
  'tooLong',
  'otherErrors',
  'mtuReports',
  'congestionMarks',
] as const;

export interface Native {
  inbox(bytes: Uint8Array, endpoints: Uint8Array, locals: Uint8Array, lengths: Int32Array): void;
  /** The socket's number, or a negative errno. */
  open(
    endpoint: Uint8Array,
    flags: number,
    dscp: number,
    bufferBytes: number,
    slots: number,
    bytes: Uint8Array,
    endpoints: Uint8Array,
    locals: Uint8Array,
    lengths: Int32Array,
    ring: Int32Array,
    counters: Float64Array,
    onEvent: (event: number, value: number) => void,
  ): number;
  address(socket: number, out: Uint8Array): number;
  /** Sends what lies in the ring now instead of at the end of the turn. */
  flush(socket: number): void;
  /** What `copy` copies from, until told otherwise. */
  source(socket: number, bytes: Uint8Array): void;
  /** Puts `length` bytes at `offset` of the source into a slot of the ring, which leaves with this turn. */
  copy(socket: number, slot: number, offset: number, length: number): void;
  close(socket: number, onClosed: () => void): void;
  /** Bits of the ways in which `galois` can work here; see native/galois.h. */
  galoisLevels(): number;
  /** False, and nothing written, when an argument does not fit. */
  galois(
    level: number,
    tables: Uint8Array,
    rows: number,
    columns: number,
    sources: readonly Uint8Array[],
    targets: readonly Uint8Array[],
    offset: number,
    length: number,
    add: boolean,
  ): boolean;
}

let loaded: Native | undefined;
let failure: Error | undefined;

/** The addon, or undefined where it was not built or does not load; `nativeFailure` says why. */
export function native(): Native | undefined {
  if (loaded !== undefined || failure !== undefined) return loaded;
  const require = createRequire(import.meta.url);
  const target = `${process.platform}-${process.arch}`;
  for (const file of ['../build/native-shard.node', `../prebuilds/${target}/native-shard.node`]) {
    try {
      loaded = require(file) as Native;
      failure = undefined;
      return loaded;
    } catch (error) {
      failure ??= error as Error;
    }
  }
  return undefined;
}

/** Why there is no addon; undefined while there is one. */
export function nativeFailure(): Error | undefined {
  native();
  return loaded === undefined ? failure : undefined;
}
