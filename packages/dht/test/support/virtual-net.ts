/** A network in virtual time under the real stack: delivers after a fixed delay, counts datagrams, loses on request. */
import {
  type Curves,
  createIdentity,
  createSeededRng,
  endpointAddress,
  endpointPort,
  type Identity,
  nobleCurves,
  parseEndpoint,
  type Transport,
  type TransportHost,
} from '@molia/core';
import { createMemoryStore, EventKind, type KademliaEvent } from '@molia/kademlia';
import type { Clock } from '../../src/clock.ts';
import { Shard } from '../../src/shard.ts';

export interface Sent {
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly bytes: Uint8Array;
}

interface Job {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export class VirtualNet {
  now = 0;
  readonly log: Sent[] = [];
  /** Answers true for datagrams that get lost. */
  lose: (sent: Sent) => boolean = () => false;
  readonly #delayMs: number;
  readonly #hosts = new Map<string, TransportHost>();
  #jobs: Job[] = [];
  #order = 0;

  constructor(delayMs: number) {
    this.#delayMs = delayMs;
  }

  clock(): Clock {
    return {
      wallMsAtZero: 1_800_000_000_000,
      now: () => this.now,
      setTimer: (callback, delayMs) => this.#schedule(Math.max(1, Math.ceil(delayMs)), callback),
      clearTimer: (timer) => {
        this.#jobs = this.#jobs.filter((job) => job !== timer);
      },
      defer: (callback) => {
        this.#schedule(0, callback);
      },
    };
  }

  transport(address: string): Transport {
    const [host, port] = address.split(':') as [string, string];
    const stats = { datagramsIn: 0, datagramsOut: 0, bytesIn: 0, bytesOut: 0, sendErrors: 0 };
    return {
      apiVersion: 1,
      scheme: 'virtual',
      datagramBytesMax: 1452,
      open: async (handlers) => {
        this.#hosts.set(address, handlers);
        return [{ family: 4, address: host, port: Number(port) }];
      },
      send: (_path, endpoint, at, bytes, offset, length) => {
        const to = `${endpointAddress(endpoint, at)}:${endpointPort(endpoint, at)}`;
        const sent = { at: this.now, from: address, to, bytes: bytes.slice(offset, offset + length) };
        this.log.push(sent);
        if (this.lose(sent)) return;
        this.#schedule(this.#delayMs, () => {
          const handlers = this.#hosts.get(to);
          const copy = sent.bytes.slice();
          handlers?.receive(handlers.path(host, Number(port)), copy, 0, copy.length);
        });
      },
      stats: () => stats,
      close: async () => {
        this.#hosts.delete(address);
      },
    };
  }

  /** Runs until `until`, or until `done` says so. */
  run(until: number, done: () => boolean = () => false): void {
    while (!done()) {
      let next: Job | undefined;
      for (const job of this.#jobs) {
        if (next === undefined || job.at < next.at || (job.at === next.at && job.order < next.order))
          next = job;
      }
      if (next === undefined || next.at > until) break;
      this.#jobs = this.#jobs.filter((job) => job !== next);
      this.now = Math.max(this.now, next.at);
      next.run();
    }
    if (!done()) this.now = Math.max(this.now, until);
  }

  #schedule(delayMs: number, run: () => void): Job {
    const job = { at: this.now + delayMs, order: this.#order++, run };
    this.#jobs.push(job);
    return job;
  }
}

export interface VirtualNode {
  readonly shard: Shard;
  readonly identity: Identity;
  readonly endpoint: Uint8Array;
  /** DONE events: op, code, a and when. */
  readonly done: { op: number; code: number; a: number; at: number; bytes: Uint8Array }[];
  readonly values: Uint8Array[];
}

export interface VirtualNodeOptions {
  readonly presharedKey?: Uint8Array;
  readonly curves?: Curves;
  readonly maintenance?: boolean;
}

/** The stack of a node at `address`, without maintenance traffic unless asked for. */
export async function virtualNode(
  net: VirtualNet,
  address: string,
  seed: number,
  options: VirtualNodeOptions = {},
): Promise<VirtualNode> {
  const curves = options.curves ?? nobleCurves;
  const identity = createIdentity(curves, new Uint8Array(32).fill(seed));
  const done: VirtualNode['done'] = [];
  const values: Uint8Array[] = [];
  const rng = createSeededRng(seed);
  const shard: Shard = new Shard({
    identity,
    presharedKey: options.presharedKey ?? new Uint8Array(32),
    curves,
    rng,
    clock: net.clock(),
    transport: net.transport(address),
    store: createMemoryStore({ id: identity.id, rng }),
    client: false,
    peersMax: 1024,
    tuning: { maintenance: options.maintenance ?? false },
    onEvent: (event: KademliaEvent) => {
      const bytes = event.bytes.slice(event.offset, event.offset + event.length);
      if (event.kind === EventKind.VALUE) values.push(bytes);
      if (event.kind === EventKind.DONE)
        done.push({ op: event.op, code: event.code, a: event.a, at: net.now, bytes });
    },
    onFail: (error) => {
      throw error;
    },
  });
  await shard.open();
  return { shard, identity, endpoint: parseEndpoint(address), done, values };
}
