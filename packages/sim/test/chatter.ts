/** The smallest node that makes traffic: sends to everybody it knows in turn, answers what asks, notes what came. */
import { createSeededRng } from '@molia/core';
import {
  type AccessClass,
  type HostOptions,
  LatencyMatrix,
  PERFECT_LINK,
  type SimHost,
  type SimNode,
  Simulator,
  type SimulatorOptions,
} from '../src/index.ts';

export interface Arrival {
  readonly at: number;
  /** `a.b.c.d:port`. */
  readonly from: string;
  readonly first: number;
}

export class Chatter implements SimNode {
  readonly host: SimHost;
  readonly arrivals: Arrival[] = [];
  peers: readonly Uint8Array[] = [];
  periodMs = 0;
  isEcho = false;
  sent = 0;
  readonly #bytes = new Uint8Array(100);

  constructor(host: SimHost) {
    this.host = host;
  }

  start(periodMs: number): void {
    this.periodMs = periodMs;
    this.host.setTimer(this.#turn, periodMs);
  }

  send(to: Uint8Array, first: number, length = 100): void {
    const bytes = length > 100 ? new Uint8Array(length) : this.#bytes;
    bytes[0] = first;
    this.host.send(to, 0, bytes, 0, length);
  }

  receive(
    endpoint: Uint8Array,
    endpointOffset: number,
    bytes: Uint8Array,
    offset: number,
    _length: number,
  ): void {
    const first = bytes[offset] as number;
    if (this.isEcho && first < 128)
      this.send(endpoint.slice(endpointOffset, endpointOffset + 19), first + 128);
    if (this.periodMs > 0) return;
    this.arrivals.push({ at: this.host.now(), from: text(endpoint, endpointOffset), first });
  }

  readonly #turn = (): void => {
    this.send(this.peers[this.sent++ % this.peers.length] as Uint8Array, this.sent & 127);
    this.host.setTimer(this.#turn, this.periodMs);
  };
}

export function text(endpoint: Uint8Array, offset = 0): string {
  const [a, b, c, d] = endpoint.subarray(offset + 1, offset + 5);
  return `${a}.${b}.${c}.${d}:${((endpoint[offset + 17] as number) << 8) | (endpoint[offset + 18] as number)}`;
}

/** Two rows, 100 ms there and back. */
export const twoRows = (): LatencyMatrix => new LatencyMatrix(Uint16Array.of(0, 1000, 1000, 0));

export function simulator(options: Partial<SimulatorOptions> = {}): Simulator {
  return new Simulator({ seed: 7, matrix: twoRows(), mtuBytes: 1452, jitterShare: 0, ...options });
}

/** A chatter on a new host. */
export function chatter(sim: Simulator, options: HostOptions): Chatter {
  const node = sim.start(sim.addHost(options), (host) => new Chatter(host));
  if (node === undefined) throw new Error('another worker has it');
  return node;
}

/** Hosts on perfect links unless told, alternating between the two rows. */
export function hosts(sim: Simulator, count: number, link: AccessClass = PERFECT_LINK): Chatter[] {
  const nodes: Chatter[] = [];
  for (let i = 0; i < count; i++) {
    nodes.push(chatter(sim, { row: i % 2, link }));
  }
  return nodes;
}

/** Everybody sends to everybody on links of the given class, with whatever faults, for a while; the digest. */
export function busyHistory(seed: number, link: AccessClass, ms: number): Simulator {
  const sim = new Simulator({
    seed,
    matrix: LatencyMatrix.plane(8, 60, createSeededRng(seed)),
    mtuBytes: 1452,
  });
  sim.network.faults.loss = 0.02;
  sim.network.faults.duplication = 0.02;
  sim.network.faults.reordering = 0.1;
  sim.network.faults.reorderMs = 40;
  const nodes = hosts(sim, 8, link);
  const endpoints = nodes.map((node) => node.host.endpoint);
  for (const [i, node] of nodes.entries()) {
    node.peers = endpoints.filter((_, j) => j !== i);
    node.isEcho = true;
    node.start(5 + i);
  }
  sim.run(ms);
  return sim;
}
