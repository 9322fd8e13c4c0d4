/**
 * The name server as an engine: queries, replies and packets in; answers and questions out. It parses, decides, caches and limits;
 * it knows no socket, clock, timer or promise. Keys are answered from their signed packets, ordinary names are forwarded (RFC
 * 1035, 2308, 6891, 8482, 8767, 9520). It refuses ANY and zone transfers, and is no validator: AD is never set.
 */
import {
  type Counters,
  createCounters,
  ENDPOINT_BYTES,
  type GivenOptions,
  IDLE,
  type Millis,
  type Rng,
  resolveOptions,
} from '@molia/core';
import { isPublicAddress } from './addresses.ts';
import { AnswerCache } from './answer-cache.ts';
import { Answers, type Asker } from './answers.ts';
import { CLASS_IN, CUT_ONE_IN, Flag, Rcode, Type, UDP_BYTES_MAX } from './constants.ts';
import { Flights, type Landing } from './flights.ts';
import { type Question, readQuery } from './message.ts';
import { keyOf, ROOT } from './names.ts';
import { RateLimiter } from './rate-limiter.ts';
import { type Asked, type Known, type Need, type ResolutionOptions, resolve } from './resolution.ts';
import { Carrier, COUNTERS, DnsVerdict, type Output } from './types.ts';
import { Upstreams } from './upstreams.ts';
import { leastTtlOf } from './zone.ts';

export const ENGINE_DEFAULTS = Object.freeze({
  /** Servers that ordinary names are forwarded to, `ENDPOINT_BYTES` each; none = such names are refused. */
  upstreams: [] as readonly Uint8Array[],
  /** A label that may stand behind a key, `<key>.key`; `''` = none. */
  topLevelDomain: 'key' as string,
  /** Longest wait for one server's answer. */
  upstreamTimeoutMs: 2_500 as number,
  /** How long the network of keys is searched; what is found after `queryTimeoutMs` serves the next query. */
  keyTimeoutMs: 10_000 as number,
  /** A client gets an answer by then, SERVFAIL for want of a better one: most give up after 5 s. */
  queryTimeoutMs: 4_500 as number,
  /** Bytes of the cache, bookkeeping included. */
  cacheBytesMax: 33_554_432 as number,
  /** Longest time that a forwarded answer is kept. */
  ttlSecondsMax: 86_400 as number,
  /** Bounds of the time after which a key is looked up again; between them the least TTL of its packet decides. */
  keyTtlSecondsMin: 60 as number,
  keyTtlSecondsMax: 86_400 as number,
  /** How long it is remembered that a key has no packet, or a packet no such name. */
  negativeTtlSeconds: 60 as number,
  /** How long after its time an answer may still be given when nobody can be asked; 0 = never. */
  staleSecondsMax: 86_400 as number,
  /** Queries of one network, over all carriers; 0 = no limit. */
  queriesPerSecond: 200 as number,
  queriesBurst: 1_000 as number,
  /** Bytes of answers to one network over UDP, where the sender may be forged; beyond it they are cut and go over TCP. */
  udpBytesPerSecond: 65_536 as number,
  udpBytesBurst: 262_144 as number,
  /** Searches in the network of keys for one client network. */
  keyLookupsPerSecond: 5 as number,
  keyLookupsBurst: 25 as number,
  /** What counts as one network: leading bits of an address. */
  ipv4PrefixBits: 24 as number,
  ipv6PrefixBits: 56 as number,
  /** Queries that wait for an answer, and questions under way, at once. */
  queriesMax: 4_096 as number,
  flightsMax: 1_024 as number,
  /** Port of the servers that a packet's NS records delegate to. */
  delegationPort: 53 as number,
  /** Whether a delegation may lead to private and other special addresses: for tests and closed networks. */
  delegateAnywhere: false as boolean,
});

export type EngineOptions = GivenOptions<typeof ENGINE_DEFAULTS>;

const SECONDS = [0, 2_147_483] as const;
const LIMITS = {
  upstreamTimeoutMs: [1, 60_000],
  keyTimeoutMs: [1, 600_000],
  queryTimeoutMs: [1, 600_000],
  cacheBytesMax: [65_536, 2 ** 40],
  ttlSecondsMax: SECONDS,
  keyTtlSecondsMin: SECONDS,
  keyTtlSecondsMax: SECONDS,
  negativeTtlSeconds: SECONDS,
  staleSecondsMax: SECONDS,
  queriesPerSecond: [0, 1_000_000],
  queriesBurst: [1, 1_000_000],
  udpBytesPerSecond: [0, 2 ** 40],
  udpBytesBurst: [UDP_BYTES_MAX, 2 ** 40],
  keyLookupsPerSecond: [0, 1_000_000],
  keyLookupsBurst: [1, 1_000_000],
  ipv4PrefixBits: [1, 32],
  ipv6PrefixBits: [1, 128],
  queriesMax: [1, 1_000_000],
  flightsMax: [1, 65_536],
  delegationPort: [1, 65_535],
} as const;

/** A query that waits for something. */
interface Task extends Asker {
  readonly question: Question;
  readonly deadline: Millis;
  /** What was learned for it, so that nothing it waited for can be gone from the cache before it is used. */
  readonly learned: Map<string, Known>;
  waitsFor: string;
}

const NO_QUESTION: Question = { name: ROOT, type: 0, class: 0 };
const CARRIED = ['queriesUdp', 'queriesTcp', 'queriesHttps'] as const;
/** RFC 2308 §5 asks for such a bound of negative answers. */
const NXDOMAIN_SECONDS_MAX = 3_600;

export class DnsEngine {
  readonly counters: Counters<typeof COUNTERS> = createCounters(COUNTERS);
  private readonly options: Readonly<typeof ENGINE_DEFAULTS>;
  private readonly resolution: ResolutionOptions;
  private readonly cache: AnswerCache;
  private readonly flights: Flights;
  private readonly queryLimits: RateLimiter;
  private readonly lookupLimits: RateLimiter;
  private readonly answers: Answers;
  private readonly outputs: Output[] = [];
  private taken = 0;
  /** In the order of their deadlines, since all wait equally long. */
  private readonly tasks = new Set<Task>();
  private readonly waiting = new Map<string, Set<Task>>();
  private excess = 0;

  /** Throws TypeError or RangeError for options. */
  constructor(options: EngineOptions, rng: Rng) {
    const o = resolveOptions('name server', ENGINE_DEFAULTS, options, LIMITS);
    if (o.keyTtlSecondsMin > o.keyTtlSecondsMax)
      throw new RangeError(
        `keyTtlSecondsMin ${o.keyTtlSecondsMin} must not be above keyTtlSecondsMax ${o.keyTtlSecondsMax}`,
      );
    if (o.upstreams.some((endpoint) => endpoint.length !== ENDPOINT_BYTES))
      throw new RangeError(`upstreams are endpoints of ${ENDPOINT_BYTES} bytes`);
    this.options = o;
    this.resolution = {
      topLevel: o.topLevelDomain.toLowerCase(),
      forwards: o.upstreams.length > 0,
      keyTtlSecondsMin: o.keyTtlSecondsMin,
      keyTtlSecondsMax: o.keyTtlSecondsMax,
      negativeTtlSeconds: o.negativeTtlSeconds,
      mayAsk: o.delegateAnywhere ? () => true : isPublicAddress,
    };
    this.cache = new AnswerCache(o.cacheBytesMax, o.staleSecondsMax);
    this.flights = new Flights(
      o,
      new Upstreams(o.upstreams, o.upstreamTimeoutMs),
      rng,
      this.counters,
      (output) => this.outputs.push(output),
      (now, need, landing) => this.landed(now, need, landing),
    );
    const prefixBits = { ipv4: o.ipv4PrefixBits, ipv6: o.ipv6PrefixBits };
    this.queryLimits = new RateLimiter(o.queriesPerSecond, o.queriesBurst, prefixBits, rng);
    this.lookupLimits = new RateLimiter(o.keyLookupsPerSecond, o.keyLookupsBurst, prefixBits, rng);
    this.answers = new Answers(
      new RateLimiter(o.udpBytesPerSecond, o.udpBytesBurst, prefixBits, rng),
      this.counters,
      this.resolution.forwards,
      (output) => this.outputs.push(output),
    );
  }

  /** Queries without an answer yet. */
  get pending(): number {
    return this.tasks.size;
  }

  get cacheEntries(): number {
    return this.cache.count;
  }

  get cacheBytes(): number {
    return this.cache.bytes;
  }

  /**
   * A query from `endpoint` (`ENDPOINT_BYTES` at `at`). `client` names its connection to the host. Every TAKEN query has exactly
   * one answer, over TCP every LIMITED one too. The bytes are borrowed.
   */
  handleQuery(
    now: Millis,
    carrier: Carrier,
    client: number,
    endpoint: Uint8Array,
    at: number,
    bytes: Uint8Array,
  ): DnsVerdict {
    this.counted(CARRIED[carrier]);
    const isLimited = !this.queryLimits.take(now, endpoint, at);
    if (isLimited) {
      this.counted('limited');
      if (carrier === Carrier.HTTPS) return DnsVerdict.LIMITED;
      if (carrier === Carrier.UDP && this.excess++ % CUT_ONE_IN !== 0) return DnsVerdict.LIMITED;
    }
    const query = readQuery(bytes);
    if (query === undefined) {
      this.counted('noQueries');
      return DnsVerdict.NO_QUERY;
    }
    const { question } = query;
    const task: Task = {
      carrier,
      client,
      endpoint: endpoint.slice(at, at + ENDPOINT_BYTES),
      query,
      question: question ?? NO_QUESTION,
      deadline: now + this.options.queryTimeoutMs,
      learned: new Map(),
      waitsFor: '',
    };
    if (isLimited) {
      if (carrier === Carrier.UDP) this.answers.cut(task);
      else this.answers.fail(now, task, Rcode.REFUSED);
      return DnsVerdict.LIMITED;
    }
    const refusal = query.rcode !== Rcode.NOERROR ? query.rcode : this.refusalOf(task);
    if (refusal !== Rcode.NOERROR) this.answers.fail(now, task, refusal);
    else this.run(now, task);
    return DnsVerdict.TAKEN;
  }

  /** A datagram or message that came back for a flight. The bytes are borrowed. */
  handleReply(now: Millis, flight: number, bytes: Uint8Array): DnsVerdict {
    return this.flights.handleReply(now, flight, bytes);
  }

  /** The server of a flight refused or closed the connection. */
  handleUnreachable(now: Millis, flight: number): void {
    this.flights.handleUnreachable(now, flight);
  }

  /**
   * What a lookup found: the DNS message of the key's newest signed packet, verified; or that there is none. `ageMs`: how long ago
   * the network was seen to hold it.
   */
  handleZone(now: Millis, flight: number, dns: Uint8Array | undefined, ageMs = 0): void {
    this.flights.handleZone(now, flight, dns, ageMs);
  }

  /** A lookup could not ask anybody. */
  handleZoneFailed(now: Millis, flight: number): void {
    this.flights.handleZoneFailed(now, flight);
  }

  handleTimeout(now: Millis): void {
    this.flights.handleTimeout(now);
    for (const task of this.tasks) {
      if (task.deadline > now) break;
      this.counted('overdue');
      this.leave(task);
      task.learned.set(task.waitsFor, this.cache.lastResort(now, task.waitsFor));
      const step = resolve(askedOf(task), (need) => this.known(now, task, need), this.resolution);
      if (step.kind === 'need') this.answers.fail(now, task, Rcode.SERVFAIL);
      else this.answers.give(now, task, step);
    }
  }

  /** What to do next; `undefined` = nothing. */
  pollOutput(): Output | undefined {
    if (this.taken === this.outputs.length) {
      this.outputs.length = 0;
      this.taken = 0;
      return undefined;
    }
    return this.outputs[this.taken++];
  }

  nextDelay(now: Millis): number {
    let delay = this.flights.nextDelay(now);
    for (const task of this.tasks) {
      delay = Math.min(delay, Math.max(0, task.deadline - now));
      break;
    }
    return Math.min(delay, IDLE);
  }

  /** Gives up all that waits; nothing is answered. */
  clear(): void {
    this.tasks.clear();
    this.waiting.clear();
    this.flights.clear();
    this.cache.clear();
  }

  /** What a well-formed query is refused with, or NOERROR. */
  private refusalOf({ query, question }: Task): number {
    const { type } = question;
    if (question.class !== CLASS_IN) return Rcode.REFUSED;
    // RFC 8482 leaves the choice of how not to answer ANY; its large answers are what reflections are made of.
    if (type === Type.ANY || type === Type.AXFR || type === Type.IXFR) return Rcode.REFUSED;
    if (type === 0 || type === Type.OPT || (type >= 128 && type < 256)) return Rcode.NOTIMP;
    const isKey = keyOf(question.name, this.resolution.topLevel) !== undefined;
    // Without RD a name of others could only be answered by what somebody else asked for.
    if (!isKey && (!this.resolution.forwards || (query.flags & Flag.RD) === 0)) return Rcode.REFUSED;
    if (this.tasks.size >= this.options.queriesMax) {
      this.counted('busy');
      return Rcode.SERVFAIL;
    }
    return Rcode.NOERROR;
  }

  private run(now: Millis, task: Task): void {
    const step = resolve(askedOf(task), (need) => this.known(now, task, need), this.resolution);
    if (step.kind === 'need') this.wait(now, task, step.need);
    else this.answers.give(now, task, step);
  }

  private known(now: Millis, task: Task, need: Need): Known | undefined {
    const learned = task.learned.get(need.id);
    if (learned !== undefined) return learned;
    const cached = this.cache.get(now, need.id);
    this.counted(cached === undefined ? 'cacheMisses' : 'cacheHits');
    if (cached !== undefined) task.learned.set(need.id, cached);
    return cached;
  }

  /** Joins whoever asks the same already, or asks. */
  private wait(now: Millis, task: Task, need: Need): void {
    let others = this.waiting.get(need.id);
    if (others === undefined) {
      if (need.kind === 'zone' && !this.lookupLimits.take(now, task.endpoint, 0)) {
        this.counted('keyLookupsLimited');
        this.answers.fail(now, task, Rcode.REFUSED);
        return;
      }
      others = new Set();
      this.waiting.set(need.id, others);
      others.add(task);
      task.waitsFor = need.id;
      this.tasks.add(task);
      if (!this.flights.start(now, need)) {
        this.counted('busy');
        this.leave(task);
        this.waiting.delete(need.id);
        this.answers.fail(now, task, Rcode.SERVFAIL);
      }
      return;
    }
    others.add(task);
    task.waitsFor = need.id;
    this.tasks.add(task);
  }

  private leave(task: Task): void {
    // The set stays while the flight is under way, empty or not: who asks the same later joins it.
    this.waiting.get(task.waitsFor)?.delete(task);
    this.tasks.delete(task);
  }

  private landed(now: Millis, need: Need, landing: Landing): void {
    const known = this.learn(now, need, landing);
    const tasks = this.waiting.get(need.id);
    this.waiting.delete(need.id);
    for (const task of tasks ?? []) {
      this.tasks.delete(task);
      task.learned.set(need.id, known);
      this.run(now, task);
    }
  }

  private learn(now: Millis, need: Need, landing: Landing): Known {
    if (landing.kind === 'failed') return this.cache.fail(now, need.id);
    const o = this.options;
    if (landing.kind === 'reply') {
      const { reply } = landing;
      const secondsMax = reply.rcode === Rcode.NXDOMAIN ? NXDOMAIN_SECONDS_MAX : Infinity;
      const seconds = Math.min(reply.ttlSeconds, o.ttlSecondsMax, secondsMax);
      if (seconds > 0) this.cache.put(need.id, landing, now, now + seconds * 1000);
      return { ...landing, age: 0, stale: false };
    }
    const { dns, ageMs } = landing;
    const bounded = (least: number): number =>
      Math.min(Math.max(least, o.keyTtlSecondsMin), o.keyTtlSecondsMax);
    const seconds = dns === undefined ? o.negativeTtlSeconds : bounded(leastTtlOf(dns));
    const storedAt = now - ageMs;
    // A moment at least: an old packet from a relay's cache is no reason to ask again for every query.
    const expiresAt = Math.max(storedAt + seconds * 1000, now + 1000);
    this.cache.put(need.id, { kind: 'zone', dns }, storedAt, expiresAt);
    return { kind: 'zone', dns, age: Math.floor(ageMs / 1000), stale: false };
  }

  private counted(name: (typeof COUNTERS)[number]): void {
    this.counters.add(COUNTERS.indexOf(name), 1);
  }
}

function askedOf({ question, query }: Task): Asked {
  return {
    question,
    recursive: (query.flags & Flag.RD) !== 0,
    checkingDisabled: (query.flags & Flag.CD) !== 0,
    dnssecOk: query.edns?.dnssecOk ?? false,
  };
}
