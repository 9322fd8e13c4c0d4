/**
 * The fuzz engine: seeded inputs of three kinds (noise, mutations of valid messages, cuts of them) for every decoder
 * of the package. A decoder may only answer `TAKEN` or a wire drop code, and its view may only point into the message.
 */
import { toBinary } from '@bufbuild/protobuf';
import { createIdentity, createSeededRng, nobleCurves, type Rng, TAKEN, type Verdict } from '@molia/core';
import fc from 'fast-check';
import {
  createImmutable,
  createMutable,
  createNodeRecord,
  createProvider,
  decodeNegotiate,
  decodeNodeRecord,
  detachRecord,
  EndpointKind,
  encodeNegotiate,
  Header,
  Negotiation,
  NodeDescription,
  ProviderValueView,
  RecordView,
  readHeader,
  readProviderValue,
  readRecord,
  verifyRecord,
  wireDropIndex,
  writeHeader,
} from '../src/index.ts';
import { codecs } from './support/codecs.ts';

interface Decoder {
  readonly name: string;
  decode(bytes: Uint8Array, offset: number, length: number): Verdict;
  /** Valid messages to mutate. */
  readonly corpus: readonly Uint8Array[];
  /** Reads everything the view points to; throws when it points outside the message. */
  touch?(bytes: Uint8Array): void;
}

export interface FuzzReport {
  readonly inputs: number;
  readonly taken: number;
  /** Drops by decoder and code. */
  readonly drops: ReadonlyMap<string, number>;
  readonly slowestMs: number;
}

/** Bytes kept before and behind every input; a view that reaches there is a bug. */
const MARGIN = 64;
const INPUT_BYTES_MAX = 1500;
/** Numbers that sit on the edges of varints, lengths and tags. */
const EDGES = [0x00, 0x01, 0x02, 0x04, 0x06, 0x07, 0x08, 0x0a, 0x12, 0x1a, 0x7f, 0x80, 0x81, 0xfe, 0xff];

const identity = createIdentity(nobleCurves, new Uint8Array(32).fill(3));
/** Signatures are checked by the decoders' own tests; here they would only be slow. */
const quickCurves = {
  ...nobleCurves,
  ed25519Verify: (signature: Uint8Array) => (signature[0] as number) % 2 === 0,
};

function decoders(): Decoder[] {
  const list: Decoder[] = codecs.map((codec) => ({
    name: codec.name,
    decode: codec.read,
    touch: (bytes) => void codec.seen(bytes),
    corpus: fc
      .sample(codec.arbitrary, { seed: 11, numRuns: 24 })
      .map((message) => toBinary(codec.schema, message))
      .filter((bytes) => bytes.length <= INPUT_BYTES_MAX),
  }));
  const header = new Header();
  const valid = new Uint8Array(12);
  writeHeader(valid, 0, 5, 0, 1, 0x0102_0304, 9);
  list.push({ name: 'header', decode: (b, o, l) => readHeader(b, o, l, header), corpus: [valid] });
  const value = new ProviderValueView();
  list.push({
    name: 'provider value',
    decode: (b, o, l) => readProviderValue(b, o, l, value),
    corpus: [Uint8Array.of(2, 6, 1, 2, 3, 4, 5, 6, 18, ...new Uint8Array(18), 1, 2), Uint8Array.of(0)],
  });
  const view = new RecordView();
  list.push({
    name: 'verified record',
    decode: (b, o, l) => {
      const verdict = readRecord(b, o, l, view);
      return verdict < 0 ? verdict : verifyRecord(view, b, quickCurves);
    },
    corpus: signedRecords(),
  });
  const node = createNodeRecord(identity, {
    sequence: 4,
    endpoints: [{ kind: EndpointKind.UDP, endpoint: new Uint8Array(6).fill(1), priority: 1 }],
    puzzle: { salt: new Uint8Array(16), difficulty: 3, expiryUnix: 9 },
  });
  list.push({
    name: 'node record',
    decode: (b, o, l) => decodeNodeRecord(b.subarray(o, o + l), quickCurves, new NodeDescription()),
    corpus: [node],
  });
  const said = Object.assign(new Negotiation(), { publicKey: identity.publicKey, node, features: 5 });
  list.push({
    name: 'NEGOTIATE',
    decode: (b, o, l) => decodeNegotiate(b, o, l, new Negotiation()),
    corpus: [encodeNegotiate(said)],
  });
  return list;
}

function signedRecords(): Uint8Array[] {
  const value = new Uint8Array(200).fill(5);
  const key = new Uint8Array(32).fill(8);
  const whole = [
    createImmutable(value, 60),
    createMutable({ identity, namespace: 'n', salt: 's', sequence: 2 ** 33, value, ttlSecs: 9 }),
    createMutable({ identity, namespace: 'n', sequence: 2, ttlSecs: 9, tombstone: true }),
    createProvider({ identity, key, sequence: 2, ttlSecs: 9, metadata: value.subarray(0, 20) }),
  ];
  return [...whole, detachRecord(whole[0] as Uint8Array), detachRecord(whole[1] as Uint8Array)];
}

/** Writes an input at `MARGIN` of `bytes` and returns its length. */
function makeInput(rng: Rng, bytes: Uint8Array, corpus: readonly Uint8Array[]): number {
  const kind = rng.u32() % 8;
  if (kind === 0) {
    const length = rng.u32() % (rng.u32() % 4 === 0 ? INPUT_BYTES_MAX : 80);
    rng.fill(bytes, MARGIN, length);
    return length;
  }
  const seed = corpus[rng.u32() % corpus.length] as Uint8Array;
  bytes.set(seed, MARGIN);
  let length = seed.length;
  if (kind === 1) return length === 0 ? 0 : rng.u32() % length;
  for (let count = 1 + (rng.u32() % 4); count > 0; count--) length = mutate(rng, bytes, length, corpus);
  return length;
}

function mutate(rng: Rng, bytes: Uint8Array, length: number, corpus: readonly Uint8Array[]): number {
  const at = MARGIN + (length === 0 ? 0 : rng.u32() % length);
  const end = MARGIN + length;
  switch (rng.u32() % 7) {
    case 0:
      bytes[at] = rng.u32();
      return Math.max(length, 1);
    case 1:
      bytes[at] = EDGES[rng.u32() % EDGES.length] as number;
      return Math.max(length, 1);
    case 2:
      bytes[at] = (bytes[at] as number) ^ (1 << (rng.u32() & 7));
      return Math.max(length, 1);
    case 3: {
      // Remove a stretch.
      const count = Math.min(rng.u32() % 9, end - at);
      bytes.copyWithin(at, at + count, end);
      return length - count;
    }
    case 4: {
      // Insert a stretch of noise.
      const count = Math.min(rng.u32() % 9, INPUT_BYTES_MAX - length);
      bytes.copyWithin(at + count, at, end);
      rng.fill(bytes, at, count);
      return length + count;
    }
    case 5: {
      // Double a stretch.
      const count = Math.min(rng.u32() % 70, end - at, INPUT_BYTES_MAX - length);
      bytes.copyWithin(at + count, at, end);
      return length + count;
    }
    default: {
      // Append another valid message.
      const other = corpus[rng.u32() % corpus.length] as Uint8Array;
      if (length + other.length > INPUT_BYTES_MAX) return length;
      bytes.set(other, end);
      return length + other.length;
    }
  }
}

/** A copy that ends where the message ends, so that reading what a view points to behind it throws. */
function isolated(bytes: Uint8Array, length: number): Uint8Array {
  return Uint8Array.from(bytes.subarray(0, MARGIN + length));
}

/** Runs `runs` inputs, spread over all decoders. Throws, with the seed and the input in hex, on the first offence. */
export function fuzz(runs: number, seed: number, slowMs: number): FuzzReport {
  const all = decoders();
  const rng = createSeededRng(seed);
  const bytes = new Uint8Array(MARGIN + 2 * INPUT_BYTES_MAX + MARGIN);
  const drops = new Map<string, number>();
  let taken = 0;
  let slowestMs = 0;
  for (let run = 0; run < runs; run++) {
    const decoder = all[run % all.length] as Decoder;
    const length = makeInput(rng, bytes, decoder.corpus);
    const offend = (what: string, cause?: unknown): never => {
      const input = Buffer.from(bytes.subarray(MARGIN, MARGIN + length)).toString('hex');
      throw new Error(`${decoder.name}: ${what}; seed ${seed}, run ${run}, input ${input}`, { cause });
    };
    const started = performance.now();
    let verdict: Verdict = TAKEN;
    try {
      verdict = decoder.decode(bytes, MARGIN, length);
      if (verdict === TAKEN) decoder.touch?.(isolated(bytes, length));
    } catch (error) {
      offend('threw', error);
    }
    const elapsed = performance.now() - started;
    if (elapsed > slowMs) offend(`took ${elapsed.toFixed(1)} ms`);
    slowestMs = Math.max(slowestMs, elapsed);
    if (verdict === TAKEN) taken++;
    else if (wireDropIndex(verdict) < 0) offend(`answered ${verdict}`);
    else drops.set(`${decoder.name} ${verdict}`, (drops.get(`${decoder.name} ${verdict}`) ?? 0) + 1);
  }
  return { inputs: runs, taken, drops, slowestMs };
}
