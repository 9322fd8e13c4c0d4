/**
 * BLAKE3 by WebAssembly SIMD (sources in `wasm/`, committed compiled in `gen/`): one block at a time up to 4 KiB,
 * four chunks side by side above. No allocation up to 1,792 bytes, nor for any array up to 16 KiB; above that one
 * view of 96 bytes for every 16 KiB. Keys and key material are zeroed in the module's memory after use; other
 * input stays there until the next call.
 */
import type { Blake3Engine, Blake3State } from './blake3-engine.ts';
import { BLAKE3_WASM } from './gen/blake3-wasm.ts';
import { instantiateWasm, WasmStage } from './wasm-stage.ts';

/** The exports of `wasm/blake3.ts`; addresses and lengths in bytes. */
interface Kernel {
  readonly memory: WebAssembly.Memory;
  stateAt(): number;
  stateBytes(): number;
  lastAt(): number;
  outAt(): number;
  stageAt(): number;
  digestLast(length: number): void;
  digestChunk(from: number, length: number): void;
  start(keyed: number, flags: number): void;
  update(from: number, length: number): void;
  digest(): void;
  wipe(from: number, length: number): void;
}

/** Mode flags (BLAKE3 paper, table 3). */
const KEYED_HASH = 16;
const DERIVE_KEY_CONTEXT = 32;
const DERIVE_KEY_MATERIAL = 64;
const CHUNK_BYTES = 1024;

/** Ours: up to this length a loop over bytes beats staging. */
const LOOP_BYTES_MAX = 32;
/** Ours: input goes in by pieces of sixteen chunks, what the kernel takes at once. */
const PIECE_BYTES = 16384;

class WasmState implements Blake3State {
  private readonly engine: WasmBlake3;
  private readonly saved: Uint8Array;

  constructor(engine: WasmBlake3) {
    this.engine = engine;
    this.saved = new Uint8Array(engine.state.length);
    this.reset();
  }

  update(bytes: Uint8Array, offset: number, length: number): void {
    this.engine.state.set(this.saved);
    this.engine.absorb(bytes, offset, length);
    this.saved.set(this.engine.state);
  }

  digest(out: Uint8Array, offset: number): void {
    this.engine.state.set(this.saved);
    this.engine.finish(out, offset);
  }

  reset(): void {
    this.engine.kernel.start(0, 0);
    this.saved.set(this.engine.state);
  }
}

class WasmBlake3 implements Blake3Engine {
  readonly name = 'wasm-simd';
  readonly kernel: Kernel;
  /** The state of the hash at work. */
  readonly state: Uint8Array;
  private readonly memory: Uint8Array;
  private readonly outView: Uint8Array;
  private readonly stage: WasmStage;
  private readonly last: number;
  private readonly stageAt: number;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.memory = new Uint8Array(kernel.memory.buffer);
    this.state = new Uint8Array(kernel.memory.buffer, kernel.stateAt(), kernel.stateBytes());
    this.outView = new Uint8Array(kernel.memory.buffer, kernel.outAt(), 32);
    this.last = kernel.lastAt();
    this.stageAt = kernel.stageAt();
    this.stage = new WasmStage(this.memory, this.stageAt);
  }

  hash(out: Uint8Array, outOffset: number, input: Uint8Array, offset: number, length: number): void {
    if (length <= LOOP_BYTES_MAX) {
      const memory = this.memory;
      const last = this.last;
      for (let i = 0; i < length; i++) memory[last + i] = input[offset + i] as number;
      this.kernel.digestLast(length);
    } else if (length <= CHUNK_BYTES) {
      this.kernel.digestChunk(this.stage.take(input, offset, length), length);
    } else {
      this.kernel.start(0, 0);
      this.absorb(input, offset, length);
      this.kernel.digest();
    }
    out.set(this.outView, outOffset);
  }

  keyed(out: Uint8Array, key: Uint8Array, input: Uint8Array): void {
    this.outView.set(key);
    this.kernel.start(1, KEYED_HASH);
    this.absorb(input, 0, input.length);
    this.finishSecret(out);
  }

  deriveKey(out: Uint8Array, context: Uint8Array, material: Uint8Array): void {
    this.kernel.start(0, DERIVE_KEY_CONTEXT);
    this.absorb(context, 0, context.length);
    this.kernel.digest();
    this.kernel.start(1, DERIVE_KEY_MATERIAL);
    this.absorb(material, 0, material.length);
    this.finishSecret(out);
  }

  start(): Blake3State {
    return new WasmState(this);
  }

  /** Absorbs into the hash at work. */
  absorb(bytes: Uint8Array, offset: number, length: number): void {
    for (let done = 0; done < length; done += PIECE_BYTES) {
      const piece = Math.min(PIECE_BYTES, length - done);
      this.kernel.update(this.stage.take(bytes, offset + done, piece), piece);
    }
  }

  /** The digest of the hash at work. */
  finish(out: Uint8Array, offset: number): void {
    this.kernel.digest();
    out.set(this.outView, offset);
  }

  private finishSecret(out: Uint8Array): void {
    this.finish(out, 0);
    this.outView.fill(0);
    this.kernel.wipe(this.stageAt, PIECE_BYTES);
  }
}

/** An implementation with a memory of its own (64 KiB), or `undefined` where WebAssembly SIMD is missing. */
export function createWasmBlake3(): Blake3Engine | undefined {
  const exports = instantiateWasm(BLAKE3_WASM);
  return exports === undefined ? undefined : new WasmBlake3(exports as unknown as Kernel);
}
