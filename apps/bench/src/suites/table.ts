/**
 * One FIND_NODE answered: read, 20 closest chosen, answer written, through the whole Kademlia engine whose table was
 * filled by contacts that answered its pings. Beside it k-bucket's `closest` alone (no reading, no writing), which
 * bittorrent-dht uses, with the same contacts.
 */
import { randomBytes } from 'node:crypto';
import { createIdentity, createSeededRng, createTransmit, nobleCurves, parseEndpoint } from '@molia/core';
import { createKademlia, createKademliaEvent, createMemoryStore, type Peers } from '@molia/kademlia';
import {
  HEADER_BYTES,
  Header,
  HeaderFlag,
  MessageType,
  readHeader,
  writeFindNodeRequest,
  writeHeader,
} from '@molia/wire';
import { nanoseconds } from '../microbench.ts';
import { peerModule } from '../peer-modules.ts';
import type { Report } from '../report.ts';

/** Offered; a table keeps what its buckets have room for. */
const CONTACTS = 2000;
const TARGETS = 1024;

interface KBucket {
  add(contact: { id: Uint8Array }): void;
  closest(id: Uint8Array, count: number): unknown[];
}

export async function table(report: Report): Promise<void> {
  report.progress('table: filling');
  const rng = createSeededRng(1);
  const keys: Uint8Array[] = [];
  const byKey = new Map<string, number>();
  const endpoints: Uint8Array[] = [];
  const peers: Peers = {
    open: (_now, key, offset) => byKey.get(hex(key, offset)) ?? -1,
    identity(peer, out, offset) {
      out.set(keys[peer] as Uint8Array, offset);
      return true;
    },
    endpoint(peer, out, offset) {
      out.set(endpoints[peer] as Uint8Array, offset);
      return true;
    },
    bindIdentity: () => true,
  };
  const identity = createIdentity(nobleCurves, new Uint8Array(32).fill(7));
  const engine = createKademlia({
    identity,
    peers,
    store: createMemoryStore({ id: identity.id, rng }),
    rng,
    curves: nobleCurves,
    wallMsAtZero: Date.now(),
    tuning: { maintenance: false, peerUnitsPerSecond: 1e9, peerUnitsBurst: 1e9 },
  });
  const out = createTransmit();
  const event = createKademliaEvent();
  const header = new Header();
  const message = new Uint8Array(1500);
  let now = 0;
  /** Every PING is answered, so that its contact enters the table; what else the engine sends is let go. */
  const settle = (): void => {
    while (engine.pollTransmit(now, out)) {
      const to = out.to;
      if (readHeader(out.bytes, out.offset, out.length, header) < 0 || header.type !== MessageType.PING)
        continue;
      writeHeader(message, 0, MessageType.PONG, HeaderFlag.RESPONSE, 0, header.correlation, header.stream);
      engine.handleDatagram(now, to, message, 0, HEADER_BYTES);
    }
    while (engine.pollEvent(event)) {
      // Results are of no interest here.
    }
  };
  for (let i = 0; i < CONTACTS; i++) {
    // Any 32 bytes serve as a key here: nothing is signed or sealed.
    const key = new Uint8Array(randomBytes(32));
    byKey.set(hex(key, 0), i);
    keys.push(key);
    endpoints.push(parseEndpoint(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:4000`));
    engine.ping(now, key, endpoints[i] as Uint8Array);
    settle();
    now++;
  }
  const contacts = engine.contacts().filter((c) => c.bucket >= 0);
  const targets = Array.from({ length: TARGETS }, () => new Uint8Array(randomBytes(32)));
  let turn = 0;
  let answered = 0;
  let asked = 0;
  const serve = (): void => {
    const target = targets[turn++ % TARGETS] as Uint8Array;
    writeHeader(message, 0, MessageType.FIND_NODE, 0, 0, turn, 0);
    const length = writeFindNodeRequest(message, HEADER_BYTES, target, 0, 20);
    asked++;
    engine.handleDatagram(now, 0, message, 0, HEADER_BYTES + length);
    while (engine.pollTransmit(now, out)) answered++;
  };
  report.progress('table: measuring');
  const served = nanoseconds(serve);
  if (answered < asked) throw new Error(`${asked - answered} of ${asked} requests were not answered`);

  const Bucket = (await peerModule('k-bucket')) as new (options: object) => KBucket;
  const bucket = new Bucket({ localNodeId: identity.id, numberOfNodesPerKBucket: 20 });
  for (const { id } of contacts) bucket.add({ id });
  const closest = nanoseconds(() => bucket.closest(targets[turn++ % TARGETS] as Uint8Array, 20));
  report.table(`table: FIND_NODE with ${contacts.length} contacts, nanoseconds an operation`, [
    { name: '@molia/kademlia, request to answer', values: { 'ns/op': served } },
    { name: 'k-bucket, closest(20) alone', values: { 'ns/op': closest } },
  ]);
}

function hex(bytes: Uint8Array, offset: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + offset, 32).toString('hex');
}
