/** One blob read stripe by stripe: how its root, pages and shards are fetched, checked and kept alive (docs/spec/blobs.md). */
import { TAKEN, toHex, type Verdict } from '@molia/core';
import { BlobDecoder, BlobDrop } from '@molia/erasure';
import { nativeGalois } from '@molia/native-shard';
import { type BlobHost, isOver, patiently, Scope } from './blob-host.ts';
import { storeAt } from './blob-placement.ts';
import * as limits from './constants.ts';
import { short } from './context.ts';
import { dhtError } from './errors.ts';
import { locateRecord, type OnLiar, readValue, renewLocal } from './reads.ts';
import type { WrongShard } from './types.ts';
import { writeValue } from './writes.ts';

const WRONG_SHARDS_MAX = 1000;

/** Stores a root or a page. */
export async function writeManifest(
  host: BlobHost,
  bytes: Uint8Array,
  ttlSecs: number,
  scope: Scope,
): Promise<void> {
  await patiently(host, 'putBlob: manifest', scope, (call) =>
    writeValue(host.context, bytes, ttlSecs, 1, call),
  );
}

/** Ends the requests of a stripe that needs no more of them; nobody sees it. */
const SETTLED = new Error('the stripe is settled');

/** One blob's decoder, and how it gets its blocks. */
export class StripeReader {
  readonly decoder: BlobDecoder;
  readonly #host: BlobHost;
  readonly #scope: Scope;
  readonly #name: string;
  #stripe = 0;
  readonly #wrong: WrongShard[] = [];

  private constructor(host: BlobHost, reference: Uint8Array, scope: Scope) {
    this.decoder = new BlobDecoder(reference, nativeGalois());
    this.#host = host;
    this.#scope = scope;
    this.#name = `blob ${short(reference)}`;
  }

  static async open(host: BlobHost, reference: Uint8Array, scope: Scope): Promise<StripeReader> {
    const reader = new StripeReader(host, reference, scope);
    reader.check(reader.decoder.handleRoot(await reader.#block(reader.decoder.rootHash, scope)), 'the root');
    return reader;
  }

  /** Starts on a stripe, its page fetched when it is another. */
  async begin(stripe: number, from: number, to: number): Promise<void> {
    const { decoder } = this;
    const page = decoder.pageOf(stripe);
    if (!decoder.hasPage(page)) {
      this.check(decoder.handlePage(page, await this.#block(decoder.pageHash(page), this.#scope)), 'a page');
    }
    decoder.begin(stripe, from, to);
    this.#stripe = stripe;
  }

  /**
   * Fetches what the range needs: its data shards, and one more whenever one fails, and one for each that is late, so that the
   * fastest `data` of them settle it. Rejects with NOT_FOUND when too few are there.
   */
  async fetch(): Promise<void> {
    const { decoder } = this;
    const scope = new Scope();
    const order = Array.from({ length: decoder.data + decoder.parity }, (_, i) => i);
    const waiting = [...order.filter((i) => decoder.needs(i)), ...order.filter((i) => !decoder.needs(i))];
    const first = order.filter((i) => decoder.needs(i)).length;
    const attempts = new Uint8Array(order.length);
    let running = 0;
    // Not the decoder's count: a shard that it holds may still be among those that run.
    let arrived = 0;
    let timer: NodeJS.Timeout | undefined;
    try {
      const settled = new Promise<void>((resolve, reject) => {
        const start = () => {
          const index = waiting.shift();
          if (index === undefined) return;
          running++;
          this.fetchOne(index, scope, attempts[index] !== 0).then((found) => {
            running--;
            if (found) arrived++;
            if (decoder.isReady) return resolve();
            attempts[index] = (attempts[index] as number) + 1;
            // Again at the end, and then more widely.
            if (!found && (attempts[index] as number) < limits.BLOB_ATTEMPTS) waiting.push(index);
            // One lost data shard needs as many others as the stripe has data; so whatever is not asked for yet is.
            if (!found) while (running + arrived < decoder.data && waiting.length > 0) start();
            if (running === 0) reject(this.#tooFew());
          }, reject);
        };
        for (let i = 0; i < first; i++) start();
        timer = setInterval(() => {
          const late = Math.max(1, running);
          for (let i = 0; i < late; i++) start();
        }, limits.BLOB_LATE_MS);
      });
      await this.#scope.run(scope, () => settled);
    } finally {
      clearInterval(timer);
      scope.fail(SETTLED);
    }
  }

  /** Fetches one shard; false when nobody has it, or only something else. `wide`: asks everybody it may have been placed on. */
  async fetchOne(index: number, scope: Scope, wide: boolean): Promise<boolean> {
    const { decoder } = this;
    const hash = decoder.shardHash(index);
    const stripe = this.#stripe;
    try {
      const bytes = await this.#block(hash, scope, wide, (holder) => this.#blame(stripe, index, holder));
      // Late, after the stripe was settled without it: the decoder may be at work on another.
      if (scope.error !== undefined) return false;
      const verdict = decoder.handleShard(index, bytes, 0, bytes.length);
      return verdict === TAKEN || verdict === BlobDrop.UNWANTED;
    } catch (error) {
      if (isOver(error, this.#scope)) throw error;
      return false;
    }
  }

  /** Shards that came wrong, and from whom; no more than a thousand are remembered. */
  get wrong(): readonly WrongShard[] {
    return this.#wrong;
  }

  /**
   * Asks whoever holds a shard to keep it for another time to live, without fetching it; false when nobody says that it does.
   * `wide` as for `fetchOne`.
   */
  async renewOne(index: number, wide: boolean): Promise<boolean> {
    const { context } = this.#host;
    const hash = this.decoder.shardHash(index);
    const what = `${this.#name}: ${short(hash)}`;
    try {
      const { record, holder } = await patiently(this.#host, what, this.#scope, (call) =>
        locateRecord(context, hash, call, wide),
      );
      if (holder === undefined) return renewLocal(context, record);
      return await this.#host.call(what, this.#scope, (call) => storeAt(context, record, holder, call));
    } catch (error) {
      if (isOver(error, this.#scope)) throw error;
      return false;
    }
  }

  /** Stores root and pages again, which renews their time to live. */
  async renewManifest(): Promise<void> {
    const { decoder } = this;
    for (let page = 0; page < decoder.pages; page++) await this.#renew(decoder.pageHash(page));
    await this.#renew(decoder.rootHash);
  }

  /** Throws for a block that its maker got wrong. */
  check(verdict: Verdict, what: string): void {
    if (verdict >= 0) return;
    const newer = verdict === BlobDrop.VERSION;
    throw dhtError(
      'UNSUPPORTED',
      `${this.#name}: ${what} is ${newer ? 'of a version that this program does not know' : 'not that of a blob'}`,
      { hint: newer ? 'update this program' : 'check the key' },
    );
  }

  async #renew(hash: Uint8Array): Promise<void> {
    await writeManifest(
      this.#host,
      await this.#block(hash, this.#scope),
      limits.TTL_SECS_DEFAULT,
      this.#scope,
    );
  }

  #block(hash: Uint8Array, scope: Scope, wide = false, onLiar?: OnLiar): Promise<Uint8Array> {
    const { context } = this.#host;
    return patiently(this.#host, `${this.#name}: ${short(hash)}`, scope, (call) =>
      readValue(context, hash, call, wide, onLiar),
    );
  }

  #blame(stripe: number, index: number, holder: Uint8Array): void {
    const known = (it: WrongShard) =>
      it.stripe === stripe && it.index === index && it.holder === toHex(holder);
    if (this.#wrong.length < WRONG_SHARDS_MAX && !this.#wrong.some(known))
      this.#wrong.push({ stripe, index, holder: toHex(holder) });
  }

  #tooFew(): Error {
    const { held, data } = this.decoder;
    return dhtError('NOT_FOUND', `${this.#name}: ${held} shards of a stripe were found, ${data} are needed`, {
      hint: 'too many of its holders are gone; ask who put it to put it again',
    });
  }
}
