/** What other people may send: nothing throws, nothing unproven enters the table, wrong records are never believed. */
import { createSeededRng, ENDPOINT_BYTES, toHex } from '@molia/core';
import { KademliaDrop, Outcome } from '@molia/kademlia';
import {
  AnswerWriter,
  createImmutable,
  createMutable,
  ErrorCode,
  HEADER_BYTES,
  Header,
  HeaderFlag,
  immutableKey,
  MessageType,
  mutableKey,
  RecordForm,
  RecordView,
  readHeader,
  readRecord,
  writeHeader,
} from '@molia/wire';
import { describe, expect, it } from 'vitest';
import { Cluster } from './cluster.ts';

const DAY = 86_400;

/** An answer to the request in `asked`, its body written by `write`. */
function answerTo(
  asked: Uint8Array,
  write: (bytes: Uint8Array, offset: number) => number,
  type?: number,
): Uint8Array {
  const header = new Header();
  readHeader(asked, 0, asked.length, header);
  const bytes = new Uint8Array(4_096);
  const length = write(bytes, HEADER_BYTES);
  writeHeader(bytes, 0, type ?? header.type + 1, HeaderFlag.RESPONSE, 0, header.correlation, header.stream);
  return bytes.slice(0, HEADER_BYTES + length);
}

/** A cluster whose node 1 answers find requests as `lie` says. */
function withLiar(
  seed: number,
  lie: (asked: Uint8Array, cluster: Cluster) => Uint8Array | undefined,
  nodes = 24,
) {
  const cluster = new Cluster({ nodes, seed, real: false });
  cluster.join();
  cluster.tap = (from, to, bytes) => {
    const type = bytes[1];
    if (to !== 1 || (type !== MessageType.FIND_NODE && type !== MessageType.FIND_VALUE)) return true;
    const answer = lie(bytes, cluster);
    if (answer !== undefined) pending.push([from, answer]);
    return answer === undefined;
  };
  const pending: [number, Uint8Array][] = [];
  const flush = () => {
    while (pending.length > 0) {
      const [to, bytes] = pending.shift() as [number, Uint8Array];
      cluster.inject(1, to, bytes);
    }
  };
  return { cluster, flush };
}

function findNode(cluster: Cluster, flush: () => void, from: number, target: Uint8Array) {
  const node = cluster.node(from);
  const op = node.kademlia.findNode(cluster.now, target);
  cluster.drain(node);
  for (let i = 0; i < 400 && !node.events.some((event) => event.op === op && event.kind === 4); i++) {
    flush();
    cluster.run(5);
  }
  return cluster.result(node, op);
}

describe('a lying node', () => {
  it('does not get its made-up contacts into the table, nor into a result', () => {
    const rng = createSeededRng(1);
    const { cluster, flush } = withLiar(101, (asked) => {
      const writer = new AnswerWriter();
      return answerTo(asked, (bytes, offset) => {
        const target = asked.slice(HEADER_BYTES + 2, HEADER_BYTES + 34);
        writer.beginFindNode(bytes, offset);
        for (let i = 0; i < 20; i++) {
          const key = new Uint8Array(32);
          rng.fill(key, 0, 32);
          const endpoint = new Uint8Array(ENDPOINT_BYTES);
          endpoint.set([4, 10, 99, 99, i]);
          endpoint[18] = 7;
          expect(target.length).toBe(32);
          writer.addContact(key, 0, endpoint, 0);
        }
        return writer.end();
      });
    });
    const before = cluster.node(0).kademlia.contactCount;
    const target = new Uint8Array(32).fill(3);
    const { done, closest } = findNode(cluster, flush, 0, target);
    expect([Outcome.OK, Outcome.TIMEOUT]).toContain(done.code);
    const real = new Set(cluster.nodes.map((node) => toHex(node.identity.id)));
    expect(closest.every((id) => real.has(toHex(id)))).toBe(true);
    expect(closest.length).toBeGreaterThanOrEqual(18);
    cluster.tap = undefined;
    cluster.run(10_000);
    const { kademlia } = cluster.node(0);
    expect(kademlia.contacts().every((contact) => real.has(toHex(contact.id)))).toBe(true);
    expect(kademlia.contactCount).toBeLessThanOrEqual(before + 2);
  });

  it('is thrown out for more than 20 contacts, for garbage and for an answer of another kind', () => {
    const lies: ((asked: Uint8Array) => Uint8Array)[] = [
      (asked) =>
        answerTo(asked, (bytes, offset) => {
          let at = offset;
          for (let i = 0; i < 21; i++) {
            bytes.set([0x0a, 44 - 2, 0x0a, 32], at);
            bytes.set([0x12, 6, 10, 0, 0, i + 1, 1, 1], at + 36);
            at += 44;
          }
          return at - offset;
        }),
      (asked) =>
        answerTo(asked, (bytes, offset) => {
          for (let i = 0; i < 300; i++) bytes[offset + i] = 255 - i;
          return 300;
        }),
      (asked) => answerTo(asked, () => 0, MessageType.STORE_RESPONSE),
    ];
    for (const [i, lie] of lies.entries()) {
      const { cluster, flush } = withLiar(110 + i, lie);
      const liar = toHex(cluster.node(1).identity.id);
      const has = () =>
        cluster
          .node(0)
          .kademlia.contacts()
          .some((contact) => toHex(contact.id) === liar);
      expect(has()).toBe(true);
      const { done, closest } = findNode(cluster, flush, 0, cluster.node(1).identity.id);
      expect(done.code).toBe(Outcome.OK);
      expect(closest.some((id) => toHex(id) === liar)).toBe(false);
      expect(has()).toBe(false);
    }
  });

  it('is not believed with a wrong value, a wrong signature or a record of another key', () => {
    const content = new Uint8Array(40).fill(9);
    const good = createImmutable(content, DAY);
    const key = immutableKey(content);
    const forged = good.slice();
    forged[forged.length - 10] = 1;
    const other = createImmutable(new Uint8Array(41), DAY);
    for (const [i, record] of [forged, other].entries()) {
      const { cluster, flush } = withLiar(120 + i, (asked) => {
        const writer = new AnswerWriter();
        const view = new RecordView();
        if (asked[1] !== MessageType.FIND_VALUE || readRecord(record, 0, record.length, view) < 0)
          return undefined;
        return answerTo(asked, (bytes, offset) => {
          writer.beginFindValue(bytes, offset);
          writer.addRecord(record, view, RecordForm.WHOLE, record, 0);
          return writer.end();
        });
      });
      const node = cluster.node(0);
      const op = node.kademlia.findValue(cluster.now, key);
      cluster.drain(node);
      for (
        let turn = 0;
        turn < 400 && !node.events.some((event) => event.op === op && event.kind === 4);
        turn++
      ) {
        flush();
        cluster.run(5);
      }
      const { done, values } = cluster.result(node, op);
      expect(done.code).toBe(Outcome.NOT_FOUND);
      expect(values).toEqual([]);
      expect(node.kademlia.counters.get('bad_answers')).toBe(1);
    }
  });

  it('cannot end a search with "not found", nor hide the newest sequence', () => {
    const cluster = new Cluster({ nodes: 40, seed: 131 });
    cluster.join();
    const { identity } = cluster.node(3);
    const at = (sequence: number) =>
      createMutable({
        identity,
        namespace: 'n',
        sequence,
        value: new Uint8Array(9).fill(sequence),
        ttlSecs: DAY,
      });
    const key = mutableKey(identity.publicKey, new TextEncoder().encode('n'), new Uint8Array(0));
    cluster.perform(3, (kademlia, now) => kademlia.store(now, at(1)), true);
    // Half of the holders miss the second write.
    cluster.tap = (_from, to, bytes) => !(bytes[1] === MessageType.STORE && to % 2 === 0);
    cluster.perform(3, (kademlia, now) => kademlia.store(now, at(2)), true);
    cluster.tap = undefined;
    for (const reader of [7, 8, 20, 39]) {
      const { done } = cluster.perform(reader, (kademlia, now) => kademlia.findValue(now, key));
      expect(done.sequence).toBe(2);
    }
  });
});

describe('a request', () => {
  it('of an unknown type or version is answered UNSUPPORTED, an error never', () => {
    const cluster = new Cluster({ nodes: 2, seed: 141, tuning: { maintenance: false } });
    const answers: Uint8Array[] = [];
    cluster.tap = (from, _to, bytes) => {
      if (from === 1) answers.push(bytes);
      return true;
    };
    const bytes = new Uint8Array(HEADER_BYTES);
    for (const [version, type] of [
      [1, 99],
      [1, MessageType.PUNCH],
      [1, MessageType.PONG],
      [2, MessageType.PING],
    ] as const) {
      writeHeader(bytes, 0, type, 0, 0, 77, 0);
      bytes[0] = version;
      cluster.inject(0, 1, bytes);
    }
    expect(answers.length).toBe(4);
    for (const answer of answers) {
      expect(answer[1]).toBe(MessageType.ERROR);
      expect(answer[HEADER_BYTES + 1]).toBe(ErrorCode.UNSUPPORTED);
    }
    writeHeader(bytes, 0, MessageType.ERROR, 0, 0, 77, 0);
    expect(cluster.inject(0, 1, bytes)).toBe(KademliaDrop.UNEXPECTED);
    writeHeader(bytes, 0, MessageType.FIND_NODE_RESPONSE, HeaderFlag.RESPONSE, 0, 77, 0);
    expect(cluster.inject(0, 1, bytes)).toBe(KademliaDrop.UNEXPECTED);
    expect(answers.length).toBe(4);
  });

  it('of a peer whose key is unknown is answered UNAUTHORIZED', () => {
    const cluster = new Cluster({ nodes: 2, seed: 142, tuning: { maintenance: false } });
    const answers: Uint8Array[] = [];
    cluster.tap = (_from, _to, bytes) => {
      answers.push(bytes);
      return false;
    };
    const bytes = new Uint8Array(HEADER_BYTES);
    writeHeader(bytes, 0, MessageType.PING, 0, 0, 77, 0);
    cluster.inject(999, 1, bytes);
    expect(answers.map((answer) => [answer[1], answer[HEADER_BYTES + 1]])).toEqual([
      [MessageType.ERROR, ErrorCode.UNAUTHORIZED],
    ]);
  });

  it('beyond a peer’s share of work is refused, and told so only now and then', () => {
    const cluster = new Cluster({
      nodes: 2,
      seed: 143,
      tuning: { maintenance: false, peerUnitsBurst: 100, peerUnitsPerSecond: 10 },
    });
    const bytes = new Uint8Array(HEADER_BYTES + 34);
    writeHeader(bytes, 0, MessageType.FIND_NODE, 0, 0, 77, 0);
    bytes.set([0x0a, 32], HEADER_BYTES);
    let answered = 0;
    let limited = 0;
    cluster.tap = (_from, _to, answer) => {
      if (answer[1] === MessageType.FIND_NODE_RESPONSE) answered++;
      else limited++;
      return false;
    };
    for (let i = 0; i < 1_000; i++) cluster.inject(0, 1, bytes);
    expect(answered).toBe(100);
    expect(limited).toBe(1);
    cluster.now += 1_000;
    for (let i = 0; i < 50; i++) cluster.inject(0, 1, bytes);
    expect(answered).toBe(110);
  });
});
