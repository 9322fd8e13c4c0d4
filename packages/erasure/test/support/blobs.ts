/** A store in memory, and a blob's way into it and back. */
import { createSeededRng, TAKEN, toHex } from '@molia/core';
import {
  BlobDecoder,
  BlobEncoder,
  type BlobEncoderOptions,
  BlockKind,
  createBlock,
} from '../../src/index.ts';

export interface Stored {
  readonly reference: Uint8Array;
  /** By key in hex. */
  readonly records: Map<string, Uint8Array>;
  /** Blocks in the order in which they came, doubles too. */
  readonly order: { kind: number; number: number; index: number; key: string }[];
}

export function randomBytes(seed: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  createSeededRng(seed).fill(bytes, 0, length);
  return bytes;
}

/** Encodes content handed in by chunks of `chunk` bytes. */
export function store(content: Uint8Array, options: BlobEncoderOptions, chunk = content.length): Stored {
  const encoder = new BlobEncoder(options);
  const block = createBlock();
  const records = new Map<string, Uint8Array>();
  const order: Stored['order'] = [];
  const drain = () => {
    while (encoder.pollBlock(block)) {
      const key = toHex(block.hash);
      records.set(key, block.bytes.slice(0, block.length));
      order.push({ kind: block.kind, number: block.number, index: block.index, key });
    }
  };
  for (let at = 0; at < content.length; ) {
    const piece = content.subarray(at, at + Math.max(1, chunk));
    let offset = 0;
    while (offset < piece.length) {
      offset += encoder.handleChunk(piece, offset, piece.length - offset);
      drain();
    }
    at += piece.length;
  }
  encoder.handleEnd();
  drain();
  return { reference: encoder.reference, records, order };
}

/** A decoder that holds the root. */
export function open(stored: Stored, reference = stored.reference): BlobDecoder {
  const decoder = new BlobDecoder(reference);
  const verdict = decoder.handleRoot(stored.records.get(toHex(decoder.rootHash)) as Uint8Array);
  if (verdict !== TAKEN) throw new Error(`root: ${verdict}`);
  return decoder;
}

/** Starts on a stripe, its page fetched if need be. */
export function begin(
  stored: Stored,
  decoder: BlobDecoder,
  stripe: number,
  from?: number,
  to?: number,
): void {
  const page = decoder.pageOf(stripe);
  if (!decoder.hasPage(page)) {
    const verdict = decoder.handlePage(page, stored.records.get(toHex(decoder.pageHash(page))) as Uint8Array);
    if (verdict !== TAKEN) throw new Error(`page ${page}: ${verdict}`);
  }
  decoder.begin(stripe, from, to);
}

/** Hands in what the store still has of these shards of the stripe at work; returns the keys that were fetched. */
export function fetchShards(stored: Stored, decoder: BlobDecoder, indices: Iterable<number>): string[] {
  const fetched: string[] = [];
  for (const index of indices) {
    const key = toHex(decoder.shardHash(index));
    const bytes = stored.records.get(key);
    if (bytes === undefined) continue;
    const verdict = decoder.handleShard(index, bytes, 0, bytes.length);
    if (verdict !== TAKEN) throw new Error(`shard ${index}: ${verdict}`);
    fetched.push(key);
  }
  return fetched;
}

/** A range of the content: needed shards first, others when some are gone. */
export function load(stored: Stored, decoder: BlobDecoder, start: number, end: number): Uint8Array {
  const out = new Uint8Array(end - start);
  const all = Array.from({ length: decoder.data + decoder.parity }, (_, i) => i);
  for (let at = start; at < end; ) {
    const stripe = Math.floor(at / decoder.stripeBytes);
    const base = stripe * decoder.stripeBytes;
    const to = Math.min(end - base, decoder.contentOf(stripe));
    begin(stored, decoder, stripe, at - base, to);
    fetchShards(
      stored,
      decoder,
      all.filter((i) => decoder.needs(i)),
    );
    if (!decoder.isReady)
      fetchShards(
        stored,
        decoder,
        all.filter((i) => !decoder.needs(i)),
      );
    at += decoder.read(out, at - start);
  }
  return out;
}

/** Shards of the blob, by stripe. */
export function shardsOf(stored: Stored): string[][] {
  const stripes: string[][] = [];
  for (const { kind, number, key } of stored.order) {
    if (kind !== BlockKind.SHARD) continue;
    stripes[number] ??= [];
    (stripes[number] as string[]).push(key);
  }
  return stripes;
}
