/** Records through a network of engines: every rule of docs/spec/records.md seen from a writer and a reader. */
import { createIdentity } from '@molia/core';
import { EventKind, Outcome } from '@molia/kademlia';
import {
  createImmutable,
  createMutable,
  createProvider,
  immutableKey,
  mutableKey,
  RecordFlag,
  RecordView,
  readRecord,
  recordValue,
} from '@molia/wire';
import { beforeAll, describe, expect, it } from 'vitest';
import { Cluster, type Result } from './cluster.ts';

const DAY = 86_400;
const NONE_SALT = new Uint8Array(0);

function value(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 7 + (i >>> 8)) & 0xff);
}

function contentOf(result: Result): Uint8Array {
  const last = result.values.at(-1);
  if (last === undefined) throw new Error('no value was reported');
  const view = new RecordView();
  expect(readRecord(last.bytes, 0, last.length, view)).toBeGreaterThanOrEqual(0);
  return recordValue(last.bytes, view);
}

function text(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}

describe('records among 64 nodes', () => {
  let cluster: Cluster;
  beforeAll(() => {
    cluster = new Cluster({ nodes: 64, seed: 11 });
    cluster.join();
  });

  const put = (index: number, record: Uint8Array, cas?: number) =>
    cluster.perform(
      index,
      (kademlia, now) => kademlia.store(now, record, cas === undefined ? {} : { cas }),
      true,
    );
  const get = (index: number, key: Uint8Array, sequenceMin = 0) =>
    cluster.perform(index, (kademlia, now) => kademlia.findValue(now, key, { sequenceMin }));
  const namespace = (name: string) => text(name);

  it('stores an immutable value on at least 20 nodes and reads it from every node', () => {
    const content = value(200, 1);
    const { done, settled } = put(3, createImmutable(content, DAY));
    expect(done.code).toBe(Outcome.OK);
    expect(done.a).toBeGreaterThanOrEqual(15);
    expect(settled?.a).toBeGreaterThanOrEqual(20);
    for (const node of cluster.nodes) {
      const result = get(node.index, immutableKey(content));
      expect(result.done.code).toBe(Outcome.OK);
      expect(contentOf(result)).toEqual(content);
    }
  });

  it('moves values of every size up to 64 KiB, pulled where they do not fit a message', () => {
    for (const size of [0, 1, 999, 1000, 1001, 1120, 1121, 5_000, 65_535, 65_536]) {
      const content = value(size, size);
      const { done, settled } = put(5, createImmutable(content, DAY));
      expect(done.code, `size ${size}`).toBe(Outcome.OK);
      expect(settled?.a, `size ${size}`).toBeGreaterThanOrEqual(20);
      const result = get(40, immutableKey(content));
      expect(result.done.code, `size ${size}`).toBe(Outcome.OK);
      expect(contentOf(result)).toEqual(content);
    }
  });

  it('reads the newest sequence of a mutable record', () => {
    const { identity } = cluster.node(8);
    const key = mutableKey(identity.publicKey, namespace('news'), NONE_SALT);
    for (let sequence = 1; sequence <= 4; sequence++) {
      const record = createMutable({
        identity,
        namespace: 'news',
        sequence,
        value: text(`edition ${sequence}`),
        ttlSecs: DAY,
      });
      expect(put(8, record).done.code).toBe(Outcome.OK);
    }
    const result = get(50, key);
    expect(result.done.sequence).toBe(4);
    expect(new TextDecoder().decode(contentOf(result))).toBe('edition 4');
  });

  it('moves a large mutable value', () => {
    const { identity } = cluster.node(9);
    const content = value(30_000, 4);
    const record = createMutable({ identity, namespace: 'large', sequence: 7, value: content, ttlSecs: DAY });
    expect(put(9, record).settled?.a).toBeGreaterThanOrEqual(20);
    const result = get(33, mutableKey(identity.publicKey, namespace('large'), NONE_SALT));
    expect(result.done.sequence).toBe(7);
    expect(contentOf(result)).toEqual(content);
  });

  it('keeps records of one namespace apart by salt', () => {
    const { identity } = cluster.node(10);
    for (const salt of ['a', 'b']) {
      const record = createMutable({
        identity,
        namespace: 'salted',
        salt,
        sequence: 1,
        value: text(`salt ${salt}`),
        ttlSecs: DAY,
      });
      expect(put(10, record).done.code).toBe(Outcome.OK);
    }
    for (const salt of ['a', 'b']) {
      const result = get(44, mutableKey(identity.publicKey, namespace('salted'), text(salt)));
      expect(new TextDecoder().decode(contentOf(result))).toBe(`salt ${salt}`);
    }
  });

  it('refuses an older sequence and says what is held', () => {
    const { identity } = cluster.node(12);
    const at = (sequence: number) =>
      createMutable({ identity, namespace: 'stale', sequence, value: text(`${sequence}`), ttlSecs: DAY });
    expect(put(12, at(5)).done.code).toBe(Outcome.OK);
    const key = mutableKey(identity.publicKey, namespace('stale'), NONE_SALT);
    // From a node that holds nothing of it, so that the network decides and not its own copy.
    const elsewhere = cluster.nodes.find(
      (node) => node.kademlia.book.find(cluster.now, key, 0, node.scratch) < 0,
    );
    const { settled, done } = put(elsewhere?.index as number, at(4));
    expect(settled?.code).toBe(Outcome.STALE);
    expect(done.sequence).toBe(5);
    // What lost is not kept as its own, to be refreshed for ever.
    expect(elsewhere?.kademlia.unpublish(cluster.now, key)).toBe(false);
    // And from the writer itself, at once.
    expect(put2(12, at(3)).done.code).toBe(Outcome.STALE);
    expect(get(20, key).done.sequence).toBe(5);
  });

  const put2 = (index: number, record: Uint8Array) =>
    cluster.perform(index, (kademlia, now) => kademlia.store(now, record));

  it('swaps only what is expected', () => {
    const { identity } = cluster.node(14);
    const at = (sequence: number, content: string) =>
      createMutable({ identity, namespace: 'cas', sequence, value: text(content), ttlSecs: DAY });
    expect(put(14, at(1, 'first'), 0).done.code).toBe(Outcome.OK);
    expect(put(15, at(2, 'second'), 1).done.code).toBe(Outcome.OK);
    const refused = put(16, at(3, 'third'), 1);
    expect(refused.done.code).toBe(Outcome.CAS_MISMATCH);
    expect(refused.done.sequence).toBe(2);
    const result = get(30, mutableKey(identity.publicKey, namespace('cas'), NONE_SALT));
    expect(new TextDecoder().decode(contentOf(result))).toBe('second');
  });

  it('finds providers once each, over several pages', () => {
    const key = value(32, 99);
    for (let i = 0; i < 30; i++) {
      const { identity, endpoint } = cluster.node(i);
      const record = createProvider({
        identity,
        key,
        endpoints: [endpoint],
        metadata: text(`provider ${i}`),
        sequence: 1,
        ttlSecs: DAY,
      });
      const { done } = cluster.perform(i, (kademlia, now) => kademlia.announce(now, record), true);
      expect(done.code).toBe(Outcome.OK);
    }
    const all = cluster.perform(60, (kademlia, now) => kademlia.findProviders(now, key, 100));
    expect(all.providers.length).toBe(30);
    const owners = new Set(
      all.providers.map((event) => {
        const view = new RecordView();
        expect(readRecord(event.bytes, 0, event.length, view)).toBeGreaterThanOrEqual(0);
        expect(event.bytes.slice(view.keyOffset, view.keyOffset + 32)).toEqual(key);
        return event.bytes.slice(view.ownerOffset, view.ownerOffset + 32).join();
      }),
    );
    expect(owners.size).toBe(30);
    const some = cluster.perform(61, (kademlia, now) => kademlia.findProviders(now, key, 7));
    expect(some.providers.length).toBe(7);
    expect(some.done.code).toBe(Outcome.OK);
  });

  it('deletes by a tombstone that a reader can verify', () => {
    const { identity } = cluster.node(17);
    const key = mutableKey(identity.publicKey, namespace('gone'), NONE_SALT);
    const first = createMutable({ identity, namespace: 'gone', sequence: 1, value: text('x'), ttlSecs: DAY });
    expect(put(17, first).done.code).toBe(Outcome.OK);
    const tombstone = createMutable({
      identity,
      namespace: 'gone',
      sequence: 2,
      ttlSecs: DAY,
      tombstone: true,
    });
    expect(put(17, tombstone).done.code).toBe(Outcome.OK);
    const result = get(42, key);
    const view = new RecordView();
    const last = result.values.at(-1);
    expect(readRecord(last?.bytes as Uint8Array, 0, last?.length as number, view)).toBeGreaterThanOrEqual(0);
    expect(view.flags & RecordFlag.TOMBSTONE).toBe(RecordFlag.TOMBSTONE);
    expect(put(18, first).settled?.code).toBe(Outcome.STALE);
  });

  it('lets the larger value hash win an equivocation everywhere', () => {
    const identity = createIdentity(cluster.curves, value(32, 3));
    const key = mutableKey(identity.publicKey, namespace('two'), NONE_SALT);
    const one = createMutable({ identity, namespace: 'two', sequence: 1, value: text('one'), ttlSecs: DAY });
    const other = createMutable({
      identity,
      namespace: 'two',
      sequence: 1,
      value: text('other'),
      ttlSecs: DAY,
    });
    put(19, one);
    const second = put(21, other);
    expect(second.settled?.code).toBe(Outcome.EQUIVOCATION);
    const reads = [22, 23, 24, 25].map((index) => new TextDecoder().decode(contentOf(get(index, key))));
    expect(new Set(reads).size).toBe(1);
    const larger =
      Buffer.compare(immutableKey(text('one')), immutableKey(text('other'))) > 0 ? 'one' : 'other';
    expect(reads[0]).toBe(larger);
  });

  it('says NOT_FOUND after asking the closest nodes', () => {
    const result = get(2, value(32, 123));
    expect(result.done.code).toBe(Outcome.NOT_FOUND);
    expect(result.done.b).toBeGreaterThanOrEqual(20);
  });

  it('does not return a record before its time', () => {
    const { identity } = cluster.node(26);
    const record = createMutable({
      identity,
      namespace: 'later',
      sequence: 1,
      value: text('later'),
      ttlSecs: DAY,
      notBeforeUnix: Math.floor(1_800_000_000 + cluster.now / 1000) + 3_600,
    });
    expect(put(26, record).done.code).toBe(Outcome.OK);
    const key = mutableKey(identity.publicKey, namespace('later'), NONE_SALT);
    expect(get(27, key).done.code).toBe(Outcome.NOT_FOUND);
    cluster.run(3_700_000);
    expect(new TextDecoder().decode(contentOf(get(27, key)))).toBe('later');
  });
});

describe('a hundred large values at once', () => {
  it('are written and read by one node in spite of every limit on pulls', () => {
    const cluster = new Cluster({ nodes: 24, seed: 15 });
    cluster.join();
    const contents = Array.from({ length: 100 }, (_, i) => value(3_000, i));
    const all = (index: number, start: (i: number) => number, kind: number) => {
      const node = cluster.node(index);
      const ops = contents.map((_, i) => start(i));
      expect(ops.every((op) => op >= 0)).toBe(true);
      cluster.drain(node);
      const ended = (op: number) => node.events.some((event) => event.op === op && event.kind === kind);
      expect(cluster.runUntil(() => ops.every(ended), 30_000)).toBe(true);
      return ops.map((op) => cluster.result(node, op));
    };
    const writer = cluster.node(2).kademlia;
    const written = all(
      2,
      (i) => writer.store(cluster.now, createImmutable(contents[i] as Uint8Array, DAY)),
      EventKind.SETTLED,
    );
    for (const { settled } of written) expect(settled?.a).toBeGreaterThanOrEqual(20);
    const stranger = cluster.addNode();
    stranger.kademlia.addContact(cluster.now, cluster.node(0).identity.publicKey, cluster.node(0).endpoint);
    cluster.perform(stranger.index, (kademlia, now) => kademlia.bootstrap(now));
    const reads = all(
      stranger.index,
      (i) => stranger.kademlia.findValue(cluster.now, immutableKey(contents[i] as Uint8Array)),
      EventKind.DONE,
    );
    expect(reads.map((read) => contentOf(read))).toEqual(contents);
  });
});
