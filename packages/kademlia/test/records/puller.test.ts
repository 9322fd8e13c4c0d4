import { blake3, createSeededRng, IDLE, NONE, type Rng, randomBelow } from '@molia/core';
import { describe, expect, it } from 'vitest';
import {
  ChunkRequest,
  PullDone,
  PullDrop,
  Puller,
  type PullerOptions,
  PullOutcome,
} from '../../src/records/puller.ts';

const NO_ENVELOPE = new Uint8Array(0);

interface Network {
  readonly rng: Rng;
  /** One way, in milliseconds: base and jitter (reorders). */
  readonly delayMs: number;
  readonly jitterMs: number;
  /** Each way. */
  readonly loss: number;
  readonly duplication: number;
  /** The link carries one chunk in this time, the others queue. */
  readonly serviceMs: number;
  /** Answers of a peer: a chunk, NOT_FOUND or nothing. */
  readonly answer?: (value: Uint8Array, request: Sent) => Answer | 'not found' | 'busy' | undefined;
}

interface Sent {
  pull: number;
  peer: number;
  offset: number;
  length: number;
}

interface Answer {
  offset: number;
  total: number;
  data: Uint8Array;
}

interface Result {
  outcome: number;
  blame: boolean;
  bytes: Uint8Array;
  envelope: string;
  tag: number;
  at: number;
}

function honest(value: Uint8Array, { offset, length }: Sent): Answer {
  return { offset, total: value.length, data: value.slice(offset, offset + length) };
}

/** Virtual time around a puller: delivers answers, calls timeouts, collects what ends. */
class Wire {
  readonly puller: Puller;
  readonly results = new Map<number, Result>();
  asked: Sent[] = [];
  now = 0;
  roundTripMax = 0;
  private linkFreeAt = 0;
  private readonly network: Network;
  private readonly values = new Map<number, Uint8Array>();
  private queue: { at: number; deliver: () => void }[] = [];
  private readonly request = new ChunkRequest();
  private readonly done = new PullDone();

  constructor(network: Partial<Network> = {}, options: PullerOptions = {}) {
    const defaults = {
      rng: createSeededRng(1),
      delayMs: 20,
      jitterMs: 0,
      loss: 0,
      duplication: 0,
      serviceMs: 0,
    };
    this.network = { ...defaults, ...network };
    this.puller = new Puller(options);
  }

  start(value: Uint8Array, peer = 1, hash = blake3(value), length = value.length, envelope = 'e'): number {
    const bytes = new TextEncoder().encode(envelope);
    const pull = this.puller.start(this.now, peer, hash, 0, length, bytes, 0, bytes.length, peer * 10, 0);
    if (pull !== NONE) this.values.set(pull, value);
    return pull;
  }

  run(untilMs = 60_000): void {
    this.pump();
    while (this.now < untilMs) {
      const delay = this.puller.nextDelay(this.now);
      const next = Math.min(delay === IDLE ? Infinity : this.now + delay, ...this.queue.map((q) => q.at));
      if (!Number.isFinite(next)) return;
      this.now = Math.max(this.now, next);
      const due = this.queue.filter((q) => q.at <= this.now).sort((a, b) => a.at - b.at);
      this.queue = this.queue.filter((q) => q.at > this.now);
      for (const { deliver } of due) deliver();
      this.puller.handleTimeout(this.now);
      this.pump();
    }
    throw new Error('the puller does not come to rest');
  }

  private pump(): void {
    const { request, done } = this;
    while (this.puller.pollRequest(this.now, request)) {
      const sent = { pull: request.pull, peer: request.peer, offset: request.offset, length: request.length };
      this.asked.push(sent);
      this.carry(sent);
    }
    while (this.puller.pollDone(done)) {
      const text = new TextDecoder();
      this.results.set(done.pull, {
        outcome: done.outcome,
        blame: done.blame,
        bytes: done.bytes.slice(done.offset, done.offset + done.length),
        envelope: text.decode(done.envelope.subarray(0, done.envelopeLength)),
        tag: done.tag,
        at: this.now,
      });
    }
  }

  private carry(sent: Sent): void {
    const { rng, loss, duplication } = this.network;
    const lost = (): boolean => randomBelow(rng, 1_000_000) < loss * 1_000_000;
    const copies = randomBelow(rng, 1_000_000) < duplication * 1_000_000 ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      if (lost() || lost()) continue;
      const answer = (this.network.answer ?? honest)(this.values.get(sent.pull) as Uint8Array, sent);
      if (answer === undefined) continue;
      const { delayMs, jitterMs } = this.network;
      this.linkFreeAt = Math.max(this.linkFreeAt, this.now) + this.network.serviceMs;
      const at = this.linkFreeAt + 2 * delayMs + (jitterMs > 0 ? randomBelow(rng, jitterMs) : 0);
      this.roundTripMax = Math.max(this.roundTripMax, at - this.now);
      this.queue.push({ at, deliver: () => this.deliver(sent, answer) });
    }
  }

  private deliver(sent: Sent, answer: Answer | 'not found' | 'busy'): void {
    const { pull, peer } = sent;
    if (typeof answer === 'string') this.puller.handleError(this.now, pull, peer, answer === 'busy');
    else {
      const { offset, total, data } = answer;
      this.puller.handleChunk(this.now, pull, peer, offset, total, data, 0, data.length);
    }
  }
}

function randomValue(rng: Rng, length: number): Uint8Array {
  const value = new Uint8Array(length);
  rng.fill(value, 0, length);
  return value;
}

/** `toEqual` takes 100 ms for 64 KiB. */
function isSame(result: Result | undefined, value: Uint8Array): boolean {
  return result !== undefined && Buffer.compare(result.bytes, value) === 0;
}

describe('a pull', () => {
  it('brings values of every length, with what was given beside', () => {
    for (const length of [1, 1119, 1120, 1121, 4480, 65_535, 65_536]) {
      const wire = new Wire();
      const value = randomValue(createSeededRng(length), length);
      const pull = wire.start(value, 3);
      wire.run();
      const result = wire.results.get(pull);
      expect(result).toMatchObject({ outcome: PullOutcome.COMPLETE, blame: false, envelope: 'e', tag: 30 });
      expect(isSame(result, value)).toBe(true);
      expect(wire.asked.length).toBe(Math.ceil(length / 1120));
      expect(wire.puller.nextDelay(wire.now)).toBe(IDLE);
      expect(wire.puller.count).toBe(0);
    }
  });

  it('opens its window by one a round trip, from ten', () => {
    const wire = new Wire();
    wire.start(randomValue(createSeededRng(1), 65_536));
    wire.run();
    // Windows of 10, 11, 12, 13, 14 hold 60 chunks of 59: five round trips of 40 ms.
    expect(wire.now).toBe(200);
  });

  it('halves its window when a chunk is lost, and asks for that chunk alone again', () => {
    let dropped = false;
    const answer = (value: Uint8Array, sent: Sent): Answer | undefined => {
      if (sent.offset !== 5 * 1120 || dropped) return honest(value, sent);
      dropped = true;
      return undefined;
    };
    const wire = new Wire({ answer });
    const pull = wire.start(randomValue(createSeededRng(1), 65_536));
    wire.run();
    expect(wire.results.get(pull)?.outcome).toBe(PullOutcome.COMPLETE);
    expect(wire.asked.length).toBe(60);
    expect(wire.puller.counters.get('chunksRepeated')).toBe(1);
    expect(wire.now).toBeGreaterThan(200);
  });

  it('halves its window once for all losses of one window', () => {
    const dropping = (chunks: number[]): number => {
      const left = new Set(chunks.map((chunk) => chunk * 1120));
      const wire = new Wire({
        answer: (v, sent) => (left.delete(sent.offset) ? undefined : honest(v, sent)),
      });
      wire.start(randomValue(createSeededRng(1), 65_536));
      wire.run();
      expect(wire.asked.length).toBe(59 + chunks.length);
      return wire.now;
    };
    // Chunks 21 to 32 are the third window.
    expect(dropping([22, 23, 24])).toBe(dropping([22]));
  });

  it('waits longer after each timeout in a row', () => {
    const wire = new Wire({ answer: () => undefined });
    const pull = wire.start(new Uint8Array(9));
    wire.run();
    expect(wire.asked.length).toBe(8);
    expect(wire.results.get(pull)?.at).toBe(500 + 1000 + 6 * 2000);
  });

  it('learns a round trip longer than its first timeout, and stops asking twice', () => {
    const wire = new Wire({ delayMs: 350 });
    const pull = wire.start(randomValue(createSeededRng(1), 65_536));
    wire.run();
    expect(wire.results.get(pull)?.outcome).toBe(PullOutcome.COMPLETE);
    // Its first window, once.
    expect(wire.puller.counters.get('chunksRepeated')).toBeLessThanOrEqual(10);
  });

  it('does not fill the queue of a slow link', () => {
    const wire = new Wire({ serviceMs: 20 });
    const pull = wire.start(randomValue(createSeededRng(1), 65_536));
    wire.run();
    expect(wire.results.get(pull)?.outcome).toBe(PullOutcome.COMPLETE);
    expect(wire.puller.counters.get('chunksRepeated')).toBe(0);
    // 59 chunks in a row and two round trips at the ends.
    expect(wire.now).toBeLessThan(59 * 20 + 250);
    // At most the first window stands in the queue whole.
    expect(wire.roundTripMax).toBeLessThan(10 * 20 + 50);
  });

  for (let seed = 1; seed <= 20; seed++) {
    it(`survives loss, doubling and reordering (seed ${seed})`, () => {
      const rng = createSeededRng(seed);
      const loss = [0.01, 0.05, 0.1][seed % 3] as number;
      const wire = new Wire({ rng, loss, duplication: 0.1, jitterMs: 30 });
      const value = randomValue(rng, 1 + randomBelow(rng, 65_536));
      const pull = wire.start(value);
      wire.run();
      expect(wire.results.get(pull)?.outcome).toBe(PullOutcome.COMPLETE);
      expect(isSame(wire.results.get(pull), value)).toBe(true);
    });
  }

  it('gives up on a silent peer, without blame', () => {
    const wire = new Wire({ answer: () => undefined });
    const pull = wire.start(randomValue(createSeededRng(1), 9000));
    wire.run();
    expect(wire.results.get(pull)).toMatchObject({ outcome: PullOutcome.TIMEOUT, blame: false });
    expect(wire.results.get(pull)?.at).toBeLessThanOrEqual(15_000);
    expect(wire.asked.length).toBeLessThanOrEqual(9 * 8);
  });

  it('gives up on a peer that drips one chunk a second', () => {
    const wire = new Wire({ delayMs: 900 }, { pullMsMax: 5000 });
    const pull = wire.start(randomValue(createSeededRng(1), 65_536));
    wire.run();
    expect(wire.results.get(pull)).toMatchObject({ outcome: PullOutcome.TIMEOUT, at: 5000 });
  });

  it('ends when the peer does not have it or is gone, and when it is cancelled', () => {
    const wire = new Wire({ answer: () => 'not found' });
    const pull = wire.start(randomValue(createSeededRng(1), 9000));
    wire.run();
    expect(wire.results.get(pull)).toMatchObject({ outcome: PullOutcome.NOT_FOUND, blame: false });
    const [gone, other] = [wire.start(new Uint8Array(9), 4), wire.start(new Uint8Array(9), 5)];
    wire.puller.handlePeerUnreachable(wire.now, 4);
    expect(wire.puller.cancel(wire.now, other)).toBe(true);
    expect(wire.puller.cancel(wire.now, other)).toBe(false);
    wire.run();
    expect(wire.results.get(gone)?.outcome).toBe(PullOutcome.UNREACHABLE);
    expect(wire.results.get(other)?.outcome).toBe(PullOutcome.CANCELLED);
  });

  it('waits for a busy peer', () => {
    let busy = 6;
    const wire = new Wire({ answer: (value, sent) => (busy-- > 0 ? 'busy' : honest(value, sent)) });
    const pull = wire.start(randomValue(createSeededRng(1), 30_000));
    wire.run();
    expect(wire.results.get(pull)?.outcome).toBe(PullOutcome.COMPLETE);
    expect(wire.now).toBeGreaterThan(500);
  });
});

describe('a lying peer', () => {
  const value = randomValue(createSeededRng(7), 10_000);
  const lies: [string, number, (value: Uint8Array, sent: Sent) => Answer][] = [
    ['another total', PullOutcome.LIED, (v, s) => ({ ...honest(v, s), total: v.length + 1 })],
    ['a chunk off the grid', PullOutcome.LIED, (v, s) => ({ ...honest(v, s), offset: s.offset + 1 })],
    ['a chunk beyond the end', PullOutcome.LIED, (v, s) => ({ ...honest(v, s), offset: 1120 * 99 })],
    ['too much', PullOutcome.LIED, (v, s) => ({ ...honest(v, s), data: new Uint8Array(s.length + 1) })],
    ['too little', PullOutcome.LIED, (v, s) => ({ ...honest(v, s), data: new Uint8Array(s.length - 1) })],
    ['nothing', PullOutcome.LIED, (v, s) => ({ ...honest(v, s), data: new Uint8Array(0) })],
    [
      'wrong bytes',
      PullOutcome.MISMATCH,
      (v, s) => {
        const answer = honest(v, s);
        if (s.offset === 0) answer.data[17] = (answer.data[17] as number) ^ 1;
        return answer;
      },
    ],
  ];
  for (const [what, outcome, answer] of lies) {
    it(`that answers with ${what} is blamed and nothing is handed out`, () => {
      const wire = new Wire({ answer });
      const pull = wire.start(value);
      wire.run();
      expect(wire.results.get(pull)).toMatchObject({ outcome, blame: true });
      expect(wire.results.get(pull)?.bytes.length).toBe(0);
    });
  }

  it('cannot end or feed the pull of another', () => {
    const { puller } = new Wire();
    const pull = puller.start(0, 1, blake3(value), 0, value.length, NO_ENVELOPE, 0, 0, 0, 0);
    const chunk = value.slice(0, 1120);
    const feed = (handle: number, peer: number, offset = 0): number =>
      puller.handleChunk(0, handle, peer, offset, value.length, chunk, 0, chunk.length);
    expect(feed(pull, 2)).toBe(PullDrop.FOREIGN);
    expect(puller.handleError(0, pull, 2, false)).toBe(PullDrop.FOREIGN);
    expect(feed(pull, 1)).toBe(PullDrop.UNASKED);
    puller.pollRequest(0, new ChunkRequest());
    expect(feed(pull, 1)).toBe(0);
    expect(feed(pull, 1)).toBe(PullDrop.DUPLICATE);
    expect(feed(pull + (1 << 20), 1)).toBe(PullDrop.UNKNOWN);
    expect(puller.count).toBe(1);
  });
});

describe('many pulls', () => {
  it('share the window of the node fairly and all complete', () => {
    const rng = createSeededRng(5);
    const wire = new Wire({ rng, jitterMs: 10, loss: 0.005 }, { chunksMax: 32, pullsPerPeerMax: 4 });
    const values = Array.from({ length: 24 }, () => randomValue(rng, 65_536));
    const pulls = values.map((value, i) => wire.start(value, i));
    wire.run();
    const ends = pulls.map((pull) => {
      expect(wire.results.get(pull)?.outcome).toBe(PullOutcome.COMPLETE);
      return wire.results.get(pull)?.at as number;
    });
    values.forEach((value, i) => {
      expect(isSame(wire.results.get(pulls[i] as number), value)).toBe(true);
    });
    // One after another, the first would end at a 24th of the last.
    expect(Math.min(...ends)).toBeGreaterThan(Math.max(...ends) / 3);
    expect(wire.puller.counters.get('complete')).toBe(24);
  });

  it('give their part of the window back when they end', () => {
    const wire = new Wire(
      { answer: (v, sent) => (sent.peer === 1 ? undefined : honest(v, sent)) },
      { chunksMax: 8 },
    );
    for (let i = 0; i < 10; i++) {
      const pull = wire.start(randomValue(createSeededRng(1), 9000), 1);
      wire.puller.pollRequest(wire.now, new ChunkRequest());
      wire.puller.cancel(wire.now, pull);
      wire.puller.pollDone(new PullDone());
    }
    const pull = wire.start(randomValue(createSeededRng(2), 9000), 2);
    wire.run();
    expect(wire.results.get(pull)?.outcome).toBe(PullOutcome.COMPLETE);
  });

  it('are bounded in number, by peer and in bytes, and room comes back', () => {
    const { puller } = new Wire({}, { pullsMax: 3, pullsPerPeerMax: 2, bytesMax: 65_536 });
    const start = (peer: number, length: number): number =>
      puller.start(0, peer, new Uint8Array(32), 0, length, NO_ENVELOPE, 0, 0, 0, 0);
    expect(start(1, 65_537)).toBe(NONE);
    expect(start(1, 0)).toBe(NONE);
    const first = start(1, 60_000);
    expect(first).not.toBe(NONE);
    expect(start(2, 60_000)).toBe(NONE);
    expect(start(1, 10)).not.toBe(NONE);
    expect(start(1, 10)).toBe(NONE);
    expect(start(2, 10)).not.toBe(NONE);
    expect(start(3, 10)).toBe(NONE);
    puller.cancel(0, first);
    const done = new PullDone();
    expect(puller.pollDone(done)).toBe(true);
    expect(puller.pollDone(done)).toBe(false);
    expect(start(3, 60_000)).not.toBe(NONE);
    expect(puller.counters.get('refused')).toBe(5);
  });
});
