/**
 * A network of real engines in virtual time: a deterministic in-memory carrier with round-trip times, loss and death,
 * and the `Peers` port implemented over it. One seed, one history.
 */
import {
  type Curves,
  createIdentity,
  createSeededRng,
  createTransmit,
  ENDPOINT_BYTES,
  HEADROOM,
  IDLE,
  type Identity,
  nobleCurves,
  type Rng,
  ROOM,
  TransmitFlag,
} from '@molia/core';
import {
  createKademlia,
  createKademliaEvent,
  createMemoryStore,
  EventKind,
  type Kademlia,
  type KademliaEvent,
  type Op,
  type Peers,
  type RecordStore,
  StoredRecord,
  type Tuning,
} from '@molia/kademlia';
import { MessageType } from '@molia/wire';

/** Signatures that hold in the cluster and cost nothing: for tests that are not about signatures. */
export const cheapCurves: Curves = {
  ...nobleCurves,
  name: 'cheap',
  ed25519PublicKey(out, seed) {
    out.set(seed);
    out[0] = (out[0] as number) ^ 1;
  },
  ed25519Sign(out, message, seed, publicKey) {
    out.fill(0);
    out.set(publicKey, 0);
    for (let i = 0; i < message.length; i++) {
      const at = 32 + (i % 32);
      out[at] = ((out[at] as number) * 31 + (message[i] as number)) & 0xff;
    }
    seed.slice();
  },
  ed25519Verify(signature, message, publicKey) {
    const expected = new Uint8Array(64);
    cheapCurves.ed25519Sign(expected, message, publicKey, publicKey);
    return expected.every((byte, i) => byte === signature[i]);
  },
  x25519Base(out, secret) {
    out.set(secret);
  },
};

export interface ClusterOptions {
  readonly nodes: number;
  readonly seed?: number;
  /** One-way milliseconds between two nodes. */
  readonly latency?: (a: number, b: number, rng: Rng) => number;
  /** Share of messages lost. */
  readonly loss?: number;
  readonly tuning?: Partial<Tuning>;
  /** Real signatures (slow) instead of cheap ones. */
  readonly real?: boolean;
  /** Indices of nodes that only ask. */
  readonly clients?: readonly number[];
}

export interface Result {
  readonly op: Op;
  readonly done: KademliaEvent;
  readonly settled: KademliaEvent | undefined;
  readonly values: KademliaEvent[];
  readonly providers: KademliaEvent[];
  readonly equivocations: number;
  readonly progress: KademliaEvent[];
  readonly closest: Uint8Array[];
}

interface Timed {
  at: number;
  order: number;
  to: number;
}

interface Message extends Timed {
  from: number;
  bytes: Uint8Array;
}

export interface Node {
  readonly index: number;
  readonly identity: Identity;
  readonly endpoint: Uint8Array;
  readonly kademlia: Kademlia;
  readonly store: RecordStore;
  /** For reads of the record book. */
  readonly scratch: StoredRecord;
  alive: boolean;
  wakeAt: number;
  events: KademliaEvent[];
  /** Ids of each findNode, taken when DONE was polled. */
  found: Map<Op, Uint8Array[]>;
}

export class Cluster {
  now = 0;
  readonly nodes: Node[] = [];
  readonly rng: Rng;
  readonly curves: Curves;
  sent = 0;
  bytesSent = 0;
  /** Sent messages by type. */
  readonly types = new Map<number, number>();
  /** Every message on its way out; return false to swallow it. */
  tap: ((from: number, to: number, bytes: Uint8Array, flags: number) => boolean) | undefined = undefined;
  private readonly options: ClusterOptions;
  private readonly messages = new Heap<Message>();
  private readonly wakes = new Heap<Timed>();
  private order = 0;
  private readonly out = createTransmit();
  private readonly event = createKademliaEvent();
  private readonly byKey = new Map<string, number>();
  private readonly receiveBuffer = new Uint8Array(HEADROOM + ROOM);

  constructor(options: ClusterOptions) {
    this.options = options;
    this.rng = createSeededRng(options.seed ?? 1);
    this.curves = options.real === true ? nobleCurves : cheapCurves;
    for (let i = 0; i < options.nodes; i++) this.addNode();
  }

  addNode(seed?: Uint8Array): Node {
    const index = this.nodes.length;
    const rng = createSeededRng(this.rng.u32());
    const identity = createIdentity(this.curves, seed, rng);
    const endpoint = new Uint8Array(ENDPOINT_BYTES);
    endpoint.set([4, 10, index >>> 16, (index >>> 8) & 255, index & 255]);
    endpoint[17] = 0x20;
    endpoint[18] = 1;
    const store = createMemoryStore({ id: identity.id, rng, countMax: 4096, bytesMax: 32 * 2 ** 20 });
    const kademlia = createKademlia({
      identity,
      peers: this.peersOf(),
      store,
      rng,
      curves: this.curves,
      wallMsAtZero: 1_800_000_000_000,
      client: this.options.clients?.includes(index) ?? false,
      ...(this.options.tuning === undefined ? {} : { tuning: this.options.tuning }),
    });
    const node: Node = {
      index,
      identity,
      endpoint,
      kademlia,
      store,
      scratch: new StoredRecord(),
      alive: true,
      wakeAt: -1,
      events: [],
      found: new Map(),
    };
    this.nodes.push(node);
    this.byKey.set(keyText(identity.publicKey), index);
    return node;
  }

  node(index: number): Node {
    return this.nodes[index] as Node;
  }

  /** Everyone joins through a few earlier nodes, in turn. */
  join(stepMs = 5): void {
    for (const node of this.nodes) {
      if (node.index > 0) {
        for (let s = 0; s < 2; s++) {
          const other = this.node(this.rng.u32() % node.index);
          node.kademlia.addContact(this.now, other.identity.publicKey, other.endpoint);
        }
        node.kademlia.bootstrap(this.now);
        this.drain(node);
      }
      this.run(stepMs);
    }
    this.run(6_000);
  }

  /** Lets virtual time pass. */
  run(ms: number): void {
    this.runUntil(() => false, ms);
  }

  /** Runs until the condition holds; false = the time was up first. */
  runUntil(condition: () => boolean, ms: number): boolean {
    const end = this.now + ms;
    for (const node of this.nodes) this.schedule(node);
    for (;;) {
      if (condition()) return true;
      const next = Math.min(this.messages.first, this.wakes.first);
      if (next > end) {
        this.now = end;
        return condition();
      }
      this.now = Math.max(this.now, Math.ceil(next));
      while (this.messages.first <= this.now) this.deliver(this.messages.pop() as Message);
      while (this.wakes.first <= this.now) {
        const { at, to } = this.wakes.pop() as Timed;
        const node = this.node(to);
        if (!node.alive || node.wakeAt !== at) continue;
        node.kademlia.handleTimeout(this.now);
        this.drain(node);
        this.schedule(node);
      }
    }
  }

  /** Notes when a node wants to be woken; an earlier note for another instant is void. */
  private schedule(node: Node): void {
    const delay = node.alive ? node.kademlia.nextDelay(this.now) : IDLE;
    const at = delay >= IDLE ? Number.POSITIVE_INFINITY : this.now + delay;
    if (at === node.wakeAt) return;
    node.wakeAt = at;
    if (delay < IDLE) this.wakes.push({ at, order: this.order++, to: node.index });
  }

  /** Starts an operation and runs until its last event (SETTLED for stores when `settle`). */
  perform(
    index: number,
    start: (kademlia: Kademlia, now: number) => Op,
    settle = false,
    ms = 60_000,
  ): Result {
    const node = this.node(index);
    const op = start(node.kademlia, this.now);
    this.drain(node);
    const last = settle ? EventKind.SETTLED : EventKind.DONE;
    const ended = this.runUntil(() => node.events.some((e) => e.op === op && e.kind === last), ms);
    if (!ended)
      throw new Error(`operation ${op} of node ${index} did not end (seed ${this.options.seed ?? 1})`);
    return this.result(node, op);
  }

  result(node: Node, op: Op): Result {
    const mine = node.events.filter((event) => event.op === op);
    node.events = node.events.filter((event) => event.op !== op);
    return {
      op,
      done: mine.find((event) => event.kind === EventKind.DONE) as KademliaEvent,
      settled: mine.find((event) => event.kind === EventKind.SETTLED),
      values: mine.filter((event) => event.kind === EventKind.VALUE),
      providers: mine.filter((event) => event.kind === EventKind.PROVIDER),
      equivocations: mine.filter((event) => event.kind === EventKind.EQUIVOCATION).length,
      progress: mine.filter((event) => event.kind === EventKind.PROGRESS),
      closest: node.found.get(op) ?? [],
    };
  }

  kill(index: number): void {
    this.node(index).alive = false;
  }

  /** Ids of the `count` living servers closest to a target, without `except`. */
  closest(target: Uint8Array, count: number, except = -1): Uint8Array[] {
    return this.nodes
      .filter((node) => node.alive && node.index !== except && !this.options.clients?.includes(node.index))
      .map((node) => node.identity.id)
      .sort((a, b) => {
        for (let i = 0; i < 32; i++) {
          const x = (a[i] as number) ^ (target[i] as number);
          const y = (b[i] as number) ^ (target[i] as number);
          if (x !== y) return x - y;
        }
        return 0;
      })
      .slice(0, count);
  }

  /** Delivers bytes to a node as if `from` had sent them; the verdict. */
  inject(from: number, to: number, bytes: Uint8Array): number {
    this.receiveBuffer.set(bytes, HEADROOM);
    const node = this.node(to);
    const verdict = node.kademlia.handleDatagram(this.now, from, this.receiveBuffer, HEADROOM, bytes.length);
    this.drain(node);
    return verdict;
  }

  drain(node: Node): void {
    const { out, event } = this;
    for (let turn = 0; turn < 10_000 && node.kademlia.pollTransmit(this.now, out); turn++) {
      const bytes = out.bytes.slice(out.offset, out.offset + out.length);
      this.send(node.index, out.to, bytes, out.flags);
    }
    while (node.kademlia.pollEvent(event)) {
      node.events.push({
        ...event,
        bytes: event.bytes.slice(event.offset, event.offset + event.length),
        offset: 0,
      });
      if (event.kind === EventKind.DONE) {
        const ids = node.kademlia.closest(event.op).map((contact) => contact.id);
        if (ids.length > 0) node.found.set(event.op, ids);
      }
    }
  }

  private send(from: number, to: number, bytes: Uint8Array, flags: number): void {
    const type = bytes[1] as number;
    const idempotent =
      type === MessageType.PING ||
      type === MessageType.NEGOTIATE ||
      type === MessageType.FIND_NODE ||
      type === MessageType.FIND_VALUE;
    if (((flags & TransmitFlag.EARLY) !== 0) !== idempotent)
      throw new Error(`wrong EARLY flag for type ${type}`);
    if (bytes.length > 1200) throw new Error(`a message of ${bytes.length} bytes`);
    this.sent++;
    this.bytesSent += bytes.length;
    this.types.set(type, (this.types.get(type) ?? 0) + 1);
    if (this.tap?.(from, to, bytes, flags) === false) return;
    if (this.rng.u32() / 2 ** 32 < (this.options.loss ?? 0)) return;
    const latency = this.options.latency?.(from, to, this.rng) ?? 10;
    this.messages.push({
      at: this.now + Math.max(0, Math.round(latency)),
      order: this.order++,
      from,
      to,
      bytes,
    });
  }

  private deliver(message: Message): void {
    const node = this.nodes[message.to];
    if (node === undefined || !node.alive) return;
    this.receiveBuffer.set(message.bytes, HEADROOM);
    node.kademlia.handleDatagram(this.now, message.from, this.receiveBuffer, HEADROOM, message.bytes.length);
    this.drain(node);
    this.schedule(node);
  }

  /** Peer handles are node indices: the same node is the same peer to everybody. */
  private peersOf(): Peers {
    return {
      open: (_now, publicKey, keyOffset) => {
        return (
          this.byKey.get(keyText(publicKey.subarray(keyOffset, keyOffset + 32))) ??
          this.ghost(publicKey, keyOffset)
        );
      },
      identity: (peer, out, offset) => {
        const node = this.nodes[peer];
        if (node === undefined) return false;
        out.set(node.identity.publicKey, offset);
        return true;
      },
      endpoint: (peer, out, offset) => {
        const node = this.nodes[peer];
        if (node === undefined) return false;
        out.set(node.endpoint, offset);
        return true;
      },
      bindIdentity: () => false,
    };
  }

  /** A handle for a key that nobody has: what is sent there is lost. */
  private ghost(publicKey: Uint8Array, keyOffset: number): number {
    const handle = 500_000 + this.byKey.size;
    this.byKey.set(keyText(publicKey.subarray(keyOffset, keyOffset + 32)), handle);
    return handle;
  }
}

/** A binary heap by time, then by order of insertion. */
class Heap<T extends Timed> {
  private readonly items: T[] = [];

  /** When the first is due; Infinity = empty. */
  get first(): number {
    return this.items[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  push(item: T): void {
    const { items } = this;
    let at = items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!before(item, items[parent] as T)) break;
      items[at] = items[parent] as T;
      at = parent;
    }
    items[at] = item;
  }

  pop(): T | undefined {
    const { items } = this;
    const first = items[0];
    const last = items.pop();
    if (items.length === 0 || last === undefined) return first;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && before(items[child + 1] as T, items[child] as T)) child++;
      if (!before(items[child] as T, last)) break;
      items[at] = items[child] as T;
      at = child;
    }
    items[at] = last;
    return first;
  }
}

function before(a: Timed, b: Timed): boolean {
  return a.at !== b.at ? a.at < b.at : a.order < b.order;
}

function keyText(key: Uint8Array): string {
  return String.fromCharCode(...key);
}
