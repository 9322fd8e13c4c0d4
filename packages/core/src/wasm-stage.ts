/**
 * Brings ranges of host arrays into a WebAssembly memory without allocating. `Uint8Array.prototype.set` moves 2 KiB
 * in 20 ns but takes whole arrays only, a new `subarray` costs 96 bytes, and a loop over bytes 1 to 2 ns a byte:
 * so a small array is brought in whole, and of a large one a cached, aligned window around the range.
 * Reads only: what else lies in the array is copied too, never written.
 */

/** Ours: arrays up to this many bytes are brought in whole (40 ns). */
const WHOLE_BYTES_MAX = 4096;
/** Ours: windows start at multiples of this in a large array … */
const GRAIN_BYTES = 256;
/** … and reach this far: the largest datagram on an Ethernet path with its headroom fits one. */
const WINDOW_BYTES = 2048;
/** Ours: a long range is worth bringing in an array of this size whole (0.4 µs). */
const LONG_WHOLE_BYTES_MAX = 16384;
/** Ours: large arrays whose windows are kept; the least recently adopted one makes room. */
const ARENAS_MAX = 4;
/** Ours: windows kept of one array, about 100 bytes each: all of a 1 MiB arena. */
const WINDOWS_MAX = 4096;

interface Arena {
  bytes: Uint8Array | undefined;
  readonly windows: Map<number, Uint8Array>;
}

/**
 * One staging area of a WebAssembly memory. It keeps up to `ARENAS_MAX` arrays of more than 4 KiB alive: those that
 * packets are cut from. Ranges over 1,792 bytes of arrays over 16 KiB cost one new view, 96 bytes.
 */
export class WasmStage {
  private readonly memory: Uint8Array;
  private readonly at: number;
  private readonly arenas: Arena[] = [];
  private next = 0;

  /** `memory`: the whole memory; `at`: address of at least 16 KiB, and of the longest range. */
  constructor(memory: Uint8Array, at: number) {
    this.memory = memory;
    this.at = at;
    for (let i = 0; i < ARENAS_MAX; i++) this.arenas.push({ bytes: undefined, windows: new Map() });
  }

  /** Brings `length` bytes at `offset` in; returns the address where they now start. The caller checked the range. */
  take(bytes: Uint8Array, offset: number, length: number): number {
    const whole = bytes.length;
    if (whole <= WHOLE_BYTES_MAX || (length > WHOLE_BYTES_MAX && whole <= LONG_WHOLE_BYTES_MAX)) {
      this.memory.set(bytes, this.at);
      return this.at + offset;
    }
    if (length > WINDOW_BYTES - GRAIN_BYTES) {
      this.memory.set(bytes.subarray(offset, offset + length), this.at);
      return this.at;
    }
    const index = Math.floor(offset / GRAIN_BYTES);
    this.memory.set(this.window(bytes, index), this.at);
    return this.at + (offset - index * GRAIN_BYTES);
  }

  private window(bytes: Uint8Array, index: number): Uint8Array {
    const windows = this.windowsOf(bytes);
    let window = windows.get(index);
    if (window === undefined) {
      if (windows.size >= WINDOWS_MAX) windows.clear(); // BOUNDED: by WINDOWS_MAX
      window = bytes.subarray(index * GRAIN_BYTES, index * GRAIN_BYTES + WINDOW_BYTES);
      windows.set(index, window);
    }
    return window;
  }

  private windowsOf(bytes: Uint8Array): Map<number, Uint8Array> {
    for (let i = 0; i < ARENAS_MAX; i++) {
      const arena = this.arenas[i] as Arena;
      if (arena.bytes === bytes) return arena.windows;
    }
    const arena = this.arenas[this.next] as Arena;
    this.next = (this.next + 1) % ARENAS_MAX;
    arena.bytes = bytes;
    arena.windows.clear();
    return arena.windows;
  }
}

/** Views of one memory from a fixed address on, one for each length: what `set` copies results out by. */
export class WasmViews {
  private readonly memory: Uint8Array;
  private readonly at: number;
  private readonly views: (Uint8Array | undefined)[];

  /** Keeps a view of every length up to `lengthMax` that was asked for, about 100 bytes each. */
  constructor(memory: Uint8Array, at: number, lengthMax: number) {
    this.memory = memory;
    this.at = at;
    this.views = new Array<Uint8Array | undefined>(lengthMax + 1).fill(undefined);
  }

  /** The view of `length` bytes; a new one (96 bytes) when it is longer than `lengthMax`. */
  view(length: number): Uint8Array {
    if (length >= this.views.length) return this.memory.subarray(this.at, this.at + length);
    let view = this.views[length];
    if (view === undefined) {
      view = this.memory.subarray(this.at, this.at + length);
      this.views[length] = view;
    }
    return view;
  }
}

/**
 * The module whose bytes are `base64`, or `undefined` where the platform does not take it (no SIMD, no WebAssembly).
 * `imports`: what the module asks for, such as a memory of the host's.
 */
export function instantiateWasm(
  base64: string,
  imports?: WebAssembly.Imports,
): WebAssembly.Exports | undefined {
  if (typeof WebAssembly === 'undefined') return undefined;
  const text = atob(base64);
  const binary = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) binary[i] = text.charCodeAt(i);
  if (!WebAssembly.validate(binary)) return undefined;
  try {
    return new WebAssembly.Instance(new WebAssembly.Module(binary), imports).exports;
  } catch {
    // A content-security policy may forbid compiling; the portable provider then runs.
    return undefined;
  }
}
