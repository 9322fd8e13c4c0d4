/** An engine on a host of the simulator. */
import { createSeededRng } from '@molia/core';
import { LatencyMatrix, PERFECT_LINK, type SimHost, type SimNode, Simulator } from '@molia/sim';
import {
  createDatagram,
  createMainlineEvent,
  type EngineOptions,
  EventKind,
  MainlineEngine,
  type MainlineEvent,
} from '../src/index.ts';

const ROWS = 40;

export class NetworkNode implements SimNode {
  readonly engine: MainlineEngine;
  readonly host: SimHost;
  readonly events: MainlineEvent[] = [];
  readonly #out = createDatagram();

  constructor(host: SimHost, seeds: readonly Uint8Array[], options: Partial<EngineOptions>) {
    this.host = host;
    this.engine = new MainlineEngine({ rng: host.rng, mode: 'server', ...options });
    this.engine.setBootstrap(seeds);
    this.wake();
  }

  receive(endpoint: Uint8Array, at: number, bytes: Uint8Array, offset: number, length: number): void {
    this.engine.handleDatagram(this.host.now(), endpoint, at, bytes, offset, length);
    this.drain();
  }

  wake(): void {
    this.engine.handleTimeout(this.host.now());
    this.drain();
  }

  drain(): void {
    while (this.engine.pollTransmit(this.#out)) {
      this.host.send(this.#out.endpoint, 0, this.#out.bytes, 0, this.#out.length);
    }
    for (let event = createMainlineEvent(); this.engine.pollEvent(event); event = createMainlineEvent())
      this.events.push(event);
    this.host.setTimer(() => this.wake(), this.engine.nextDelay(this.host.now()));
  }
}

/** Nodes of one simulated network; the first three are everybody's seeds. */
export class MainlineNetwork {
  readonly seed: number;
  readonly sim: Simulator;
  readonly nodes: NetworkNode[] = [];

  constructor(seed: number, file: string) {
    this.seed = seed;
    this.sim = new Simulator({
      seed,
      matrix: LatencyMatrix.plane(ROWS, 60, createSeededRng(seed)),
      mtuBytes: 1500,
      replay: `npx vitest run packages/mainline/test/${file}`,
    });
  }

  addHost(row: number, inBlock = false): number {
    return this.sim.addHost({ row: row % ROWS, link: PERFECT_LINK, inBlock });
  }

  start(host: number, options: Partial<EngineOptions> = {}): NetworkNode {
    const seeds = this.nodes.slice(0, 3).map((node) => node.host.endpoint.slice());
    const node = this.sim.start(host, (face) => new NetworkNode(face, seeds, options)) as NetworkNode;
    this.nodes.push(node);
    return node;
  }

  /** Runs an operation to its end; its events, DONE last. */
  operate(node: NetworkNode, start: (engine: MainlineEngine, now: number) => number): MainlineEvent[] {
    let op = 0;
    this.sim.call(0, () => {
      op = start(node.engine, node.host.now());
      node.drain();
    });
    for (let i = 0; i < 40; i++) {
      this.sim.run(500);
      const mine = node.events.filter((event) => event.op === op);
      if (mine.at(-1)?.kind === EventKind.DONE) return mine;
    }
    throw new Error(`seed ${this.seed}: operation ${op} did not end`);
  }
}
