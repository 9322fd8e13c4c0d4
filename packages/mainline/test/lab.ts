/** Engines without a network: hand a datagram in, read what comes out as bencode. */
import { createSeededRng, parseEndpoint } from '@molia/core';
import type { BencodeInput, BencodeValue } from '../src/index.ts';
import {
  createDatagram,
  decodeBencode,
  type EngineOptions,
  encodeBencode,
  MainlineEngine,
} from '../src/index.ts';

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);
export const ID = text('abcdefghij0123456789');

export type Dict = { [key: string]: BencodeValue };

export class Lab {
  readonly engine: MainlineEngine;
  now = 0;
  readonly #out = createDatagram();

  constructor(options: Partial<EngineOptions> = {}) {
    this.engine = new MainlineEngine({ rng: createSeededRng(5), mode: 'server', ...options });
    this.engine.handleTimeout(0);
  }

  /** Hands bytes in; the verdict. */
  hand(bytes: Uint8Array, from = '203.0.113.9:4000'): number {
    return this.engine.handleDatagram(this.now, parseEndpoint(from), 0, bytes, 0, bytes.length);
  }

  /** What the engine wants to send now, queries of its own left out. */
  drain(): Uint8Array[] {
    const all: Uint8Array[] = [];
    while (this.engine.pollTransmit(this.#out)) all.push(this.#out.bytes.slice(0, this.#out.length));
    return all;
  }

  /** A query's answer, or `undefined` for silence. */
  query(q: string, a: BencodeInput & object, from?: string, t: BencodeInput = 'aa'): Dict | undefined {
    this.drain();
    this.hand(encodeBencode({ a: a as BencodeInput, q, t, y: 'q', ro: 1 }), from);
    const answers = this.drain().map((bytes) => decodeBencode(bytes) as Dict);
    return answers.find((m) => String.fromCharCode(...(m['y'] as Uint8Array)) !== 'q');
  }

  /** The error code of a query's answer; 0 = it was none. */
  code(q: string, a: BencodeInput & object, from?: string): number {
    const answer = this.query(q, a, from);
    if (answer === undefined) return -1;
    return answer['e'] === undefined ? 0 : ((answer['e'] as BencodeValue[])[0] as number);
  }

  token(from?: string): Uint8Array {
    const answer = this.query('get', { id: ID, target: ID }, from) as Dict;
    return (answer['r'] as Dict)['token'] as Uint8Array;
  }
}
