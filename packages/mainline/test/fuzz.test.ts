/** Seeded fuzzing of decoders and of a whole engine, as server and as asker: `MOLIA_FUZZ_RUNS` inputs each, 10,000 unless told. */
import { createSeededRng, parseEndpoint, type Rng, randomBelow } from '@molia/core';
import { describe, expect, test } from 'vitest';
import {
  type BencodeInput,
  type BencodeValue,
  createDatagram,
  createMainlineEvent,
  decodeBencode,
  encodeBencode,
  KrpcMessage,
  readKrpc,
  signItem,
} from '../src/index.ts';
import { CORPUS } from './corpus.ts';
import { ID, Lab, text } from './lab.ts';

const SEED = 20_261_121;
const RUNS = Number(process.env['MOLIA_FUZZ_RUNS'] ?? 10_000);
/** Rounds of questions, each with many answers and some signatures to verify. */
const ASKED = Math.ceil(RUNS / 10);
const TIMEOUT_MS = 60_000;

/** Values of every kind, small and nested. */
function anyValue(rng: Rng, depth: number): BencodeInput {
  const kind = randomBelow(rng, depth > 0 ? 5 : 3);
  if (kind === 0) return randomBelow(rng, 2 ** 32) - 2 ** 31;
  if (kind === 1) return (BigInt(rng.u32()) << 31n) * (rng.u32() & 1 ? 1n : -1n);
  if (kind === 2) {
    const bytes = new Uint8Array(randomBelow(rng, 40));
    rng.fill(bytes, 0, bytes.length);
    return bytes;
  }
  const count = randomBelow(rng, 4);
  if (kind === 3) return Array.from({ length: count }, () => anyValue(rng, depth - 1));
  const names = Array.from({ length: count }, () => String.fromCharCode(randomBelow(rng, 256)));
  return Object.fromEntries(names.map((name) => [name, anyValue(rng, depth - 1)]));
}

/** Changes, drops, doubles or joins bytes of what is in the corpus. */
function mutated(rng: Rng, corpus: readonly Uint8Array[]): Uint8Array {
  const pick = (): Uint8Array => corpus[randomBelow(rng, corpus.length)] as Uint8Array;
  let bytes = pick().slice();
  for (let n = randomBelow(rng, 5); n > 0 && bytes.length > 0; n--) {
    const at = randomBelow(rng, bytes.length);
    switch (randomBelow(rng, 6)) {
      case 0:
        bytes = bytes.slice(0, at);
        break;
      case 1:
        bytes = new Uint8Array([...bytes.slice(0, at), ...bytes.slice(at + 1)]);
        break;
      case 2:
        bytes = new Uint8Array([...bytes.slice(0, at), ...pick().slice(0, 30), ...bytes.slice(at)]).slice(
          0,
          3000,
        );
        break;
      case 3:
        // What bencode is made of.
        bytes[at] = 'deil0123456789:-'.charCodeAt(randomBelow(rng, 16));
        break;
      default:
        bytes[at] = rng.u32();
    }
  }
  return bytes;
}

function guarded(round: number, bytes: Uint8Array, work: () => void): void {
  try {
    work();
  } catch (cause) {
    throw new Error(`seed ${SEED}, round ${round}: ${JSON.stringify(String.fromCharCode(...bytes))}`, {
      cause,
    });
  }
}

describe('fuzz', () => {
  test(
    'what bencode encodes it decodes, and it decodes nothing but what it would encode',
    () => {
      const rng = createSeededRng(SEED);
      const corpus: Uint8Array[] = CORPUS.map(text);
      for (let round = 0; round < RUNS; round++) {
        const encoded = encodeBencode(anyValue(rng, 4));
        if (round < 500) corpus.push(encoded);
        const back = decodeBencode(encoded);
        guarded(round, encoded, () => expect(encodeBencode(back as BencodeInput)).toEqual(encoded));
        const bytes = mutated(rng, corpus);
        guarded(round, bytes, () => {
          const value: BencodeValue | undefined = decodeBencode(bytes);
          if (value !== undefined) expect(encodeBencode(value as BencodeInput)).toEqual(bytes);
        });
      }
    },
    TIMEOUT_MS + RUNS,
  );

  test(
    'mutated queries and answers never throw at a server, and every answer to them is canonical',
    () => {
      const rng = createSeededRng(SEED);
      const item = signItem(new Uint8Array(32).fill(1), text('3:abc'), 7n, text('salt'));
      const lab = new Lab({
        queriesPerSecondPerAddress: 0,
        immutableItemsMax: 20,
        mutableItemsMax: 20,
        infoHashesMax: 20,
        peersPerHashMax: 8,
      });
      const token = lab.token();
      const query = (q: string, a: object): Uint8Array =>
        encodeBencode({ a: { id: ID, ...a } as BencodeInput, q, t: 'aa', y: 'q' });
      const corpus = [
        query('ping', {}),
        query('find_node', { target: ID, want: ['n4', 'n6'] }),
        query('get_peers', { info_hash: ID }),
        query('get', { target: ID, seq: 1 }),
        query('announce_peer', { info_hash: ID, port: 1, implied_port: 1, token }),
        query('put', { v: 'abc', token }),
        query('put', { k: item.key, salt: item.salt, seq: 7, cas: 6, sig: item.signature, v: 'abc', token }),
        encodeBencode({
          r: { id: ID, token, values: ['abcdef'], v: { a: [1] } },
          ip: 'abcdef',
          t: 'aaaa',
          y: 'r',
        }),
        encodeBencode({ e: [301, 'no'], t: 'aaaa', y: 'e' }),
        ...CORPUS.map(text),
      ];
      const message = new KrpcMessage();
      for (let round = 0; round < RUNS; round++) {
        const bytes = mutated(rng, corpus);
        guarded(round, bytes, () => {
          readKrpc(message, bytes, 0, bytes.length);
          lab.hand(bytes);
          for (const answer of lab.drain()) expect(readKrpc(message, answer, 0, answer.length)).toBe(true);
        });
        lab.now++;
      }
      const { infoHashes, immutable, mutable } = lab.engine.stored;
      expect(Math.max(infoHashes, immutable, mutable)).toBeLessThanOrEqual(20);
      expect(lab.code('ping', { id: ID })).toBe(0);
    },
    TIMEOUT_MS + RUNS,
  );

  test(
    'mutated answers to our own questions never throw, and every operation ends',
    () => {
      const rng = createSeededRng(SEED);
      const lab = new Lab({ mode: 'client' });
      const { engine } = lab;
      const seeds = Array.from({ length: 8 }, (_, i) => parseEndpoint(`203.0.113.${i + 1}:6881`));
      engine.setBootstrap(seeds);
      const item = signItem(new Uint8Array(32).fill(1), text('3:abc'), 7n);
      const nodes = new Uint8Array(26 * 8);
      const out = createDatagram();
      const event = createMainlineEvent();
      const message = new KrpcMessage();
      const running = new Set<number>();
      let ended = 0;
      for (let round = 0; round < ASKED; round++) {
        if (running.size < 8) {
          const op = [
            () => engine.findNode(lab.now, ID),
            () => engine.getPeers(lab.now, ID),
            () => engine.getMutable(lab.now, item.key, new Uint8Array(0)),
            () => engine.putMutable(lab.now, item, 6n),
            () => engine.announcePeer(lab.now, ID, 0),
            () => engine.getImmutable(lab.now, ID),
          ][randomBelow(rng, 6)] as () => number;
          running.add(op());
        }
        rng.fill(nodes, 0, nodes.length);
        for (let sent = 0; sent < 64 && engine.pollTransmit(out); sent++) {
          readKrpc(message, out.bytes, 0, out.length);
          const t = out.bytes.slice(message.tidAt, message.tidAt + message.tidLength);
          const answers: BencodeInput[] = [
            { r: { id: ID, token: 'tok', nodes }, ip: new Uint8Array(6).fill(9), t, y: 'r' },
            { r: { id: ID, token: 'tok', values: ['abcdef'] }, t, y: 'r' },
            {
              r: { id: ID, k: item.key, seq: item.seq, sig: item.signature, token: 'tok', v: 'abc' },
              t,
              y: 'r',
            },
            { e: [302, 'no'], t, y: 'e' },
          ];
          const whole = encodeBencode(answers[randomBelow(rng, 4)] as BencodeInput);
          const bytes = rng.u32() & 3 ? mutated(rng, [whole]) : whole;
          const { endpoint } = out;
          guarded(round, bytes, () => {
            engine.handleDatagram(lab.now, endpoint.slice(), 0, bytes, 0, bytes.length);
          });
        }
        lab.now += 250;
        engine.handleTimeout(lab.now);
        while (engine.pollEvent(event)) if (running.delete(event.op)) ended++;
      }
      for (let i = 0; i < 2000 && running.size > 0; i++) {
        lab.now += 500;
        engine.handleTimeout(lab.now);
        while (engine.pollTransmit(out));
        while (engine.pollEvent(event)) if (running.delete(event.op)) ended++;
      }
      expect(running.size).toBe(0);
      expect(ended).toBeGreaterThan(ASKED / 100);
    },
    TIMEOUT_MS + RUNS,
  );
});
