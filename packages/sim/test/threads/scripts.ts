/** Scripts that run alike in one thread and in several: everything that the simulator can do to a network of chatters. */
import { createSeededRng, type Rng } from '@molia/core';
import {
  ACCESS_CLASSES,
  type AccessClass,
  type Crew,
  LatencyMatrix,
  NAT_CLASSES,
  type SimHost,
  type SimNode,
  Simulator,
  type Totals,
} from '../../src/index.ts';

export interface Result {
  readonly digest: string;
  readonly totals: Totals;
  /** What each worker's own nodes heard, summed. */
  readonly heard: number;
  readonly hosts: number;
  readonly lookAheadMs: number;
  /** Datagrams that came from another worker. */
  readonly posted: number;
}

/** Sends to whom it knows, in turn and by chance; answers; learns whoever writes to it. */
class Gossip implements SimNode {
  heard = 0;
  readonly #known: Uint8Array[];
  readonly #bytes = new Uint8Array(600);
  readonly #host: SimHost;
  readonly #rng: Rng;

  constructor(host: SimHost, known: Uint8Array[]) {
    this.#host = host;
    this.#rng = host.rng;
    this.#known = known;
    host.setTimer(this.#turn, 1 + (host.rng.u32() % 50));
  }

  receive(endpoint: Uint8Array, at: number, bytes: Uint8Array, offset: number, length: number): void {
    this.heard++;
    if (this.#known.length < 60) this.#known.push(endpoint.slice(at, at + 19));
    if ((bytes[offset] as number) > 0) {
      this.#bytes.set(bytes.subarray(offset, offset + length));
      this.#bytes[0] = (bytes[offset] as number) - 1;
      this.#host.send(endpoint, at, this.#bytes, 0, length);
    } else {
      this.#host.defer(() => this.#say(0));
    }
  }

  readonly #turn = (): void => {
    this.#say(this.#rng.u32() % 3);
    this.#host.setTimer(this.#turn, 20 + (this.#rng.u32() % 40));
  };

  #say(answers: number): void {
    const to = this.#known[this.#rng.u32() % this.#known.length];
    const length = 1 + (this.#rng.u32() % 599);
    this.#bytes[0] = answers;
    for (let i = 1; i < length; i++) this.#bytes[i] = i * answers;
    if (to !== undefined) this.#host.send(to, 0, this.#bytes, 0, length);
  }
}

function world(seed: number, crew: Crew | undefined): Simulator {
  return new Simulator({
    seed,
    matrix: LatencyMatrix.plane(60, 60, createSeededRng(seed)),
    mtuBytes: 1452,
    cpuMicros: (_bytes, _offset, length) => length / 10,
    replay: `script of seed ${seed}`,
    crew,
  });
}

/** Losses, duplicates, reordering, NAT boxes, a partition, mute hosts, coming and going; a decision on gathered values. */
export function everything(seed: number, crew?: Crew): Result {
  const sim = world(seed, crew);
  const { network, rng } = sim;
  Object.assign(network.faults, { loss: 0.02, duplication: 0.05, reordering: 0.1, reorderMs: 80 });
  const nodes: (Gossip | undefined)[] = [];
  const publicHosts: number[] = [];
  const carrier = network.nats.add(NAT_CLASSES[3] as (typeof NAT_CLASSES)[number]);
  const endpointOf = (host: number): Uint8Array =>
    (rng.u32() % 3 === 0 ? network.v6Endpoint(host) : undefined) ?? network.boundEndpoint(host);
  const begin = (host: number): void => {
    const known = Array.from({ length: 8 }, () =>
      endpointOf(publicHosts[rng.u32() % publicHosts.length] as number),
    );
    nodes[host] = sim.start(host, (face) => new Gossip(face, known));
  };
  const join = (nat?: number): number => {
    const link = ACCESS_CLASSES[rng.u32() % 4] as AccessClass;
    const host = sim.addHost({
      row: rng.u32() % 60,
      link,
      v6: rng.u32() % 2 === 0,
      ...(nat === undefined ? {} : { nat }),
    });
    if (nat === undefined) publicHosts.push(host);
    network.setGroup(host, host % 3);
    begin(host);
    return host;
  };
  for (let i = 0; i < 50; i++) join();
  for (let i = 0; i < 10; i++) {
    const home = network.nats.add(
      NAT_CLASSES[i % 5] as (typeof NAT_CLASSES)[number],
      i % 2 === 0 ? carrier : -1,
    );
    join(home);
    if (i % 3 === 0) join(home);
  }
  for (let i = 0; i < 40; i++) {
    sim.call((rng.u32() / 2 ** 32) * 4_000, () => {
      const host = rng.u32() % network.hosts;
      if (sim.isRunning(host)) sim.stop(host);
      else begin(host);
      if (i % 8 === 0) sim.call(rng.u32() % 300, () => void join());
      if (i % 8 === 4) sim.setMute(rng.u32() % network.hosts, i % 16 === 4);
    });
  }
  sim.call(1_000, () => network.setBlocked(0, 1, true));
  sim.call(1_500, () => network.setBlocked(2, 0, true));
  sim.call(2_500, () => network.heal());
  sim.run(3_000);
  // Who heard most goes: everybody knows who that is, and only one worker counted.
  const counts = sim.gather(nodes.map((node) => node?.heard ?? 0));
  const total = Array.from({ length: network.hosts }, (_, host) =>
    counts.reduce((sum, worker) => sum + (worker[host] ?? 0), 0),
  );
  sim.stop(total.indexOf(Math.max(...total)));
  sim.run(2_000);
  const heard = sim.gather(nodes.reduce((sum, node) => sum + (node?.heard ?? 0), 0));
  const posted = sim.gather(crew?.mail.posted ?? 0);
  return {
    digest: sim.digest(),
    totals: sim.totals(),
    heard: heard.reduce((a, b) => a + b, 0),
    hosts: network.hosts,
    lookAheadMs: sim.lookAheadMs,
    posted: posted.reduce((a, b) => a + b, 0),
  };
}

/** So much at once from one side to the other that the mail needs many turns. */
function flood(seed: number, crew?: Crew): Result {
  const sim = world(seed, crew);
  const link = { ...(ACCESS_CLASSES[0] as AccessClass), upMbps: 1e6, downMbps: 1e6, queueMs: 1e6 };
  const hosts = Array.from({ length: 60 }, (_, row) => sim.addHost({ row, link }));
  const endpoints = hosts.map((host) => sim.network.boundEndpoint(host));
  const bytes = new Uint8Array(1400).fill(7);
  let heard = 0;
  for (const host of hosts) {
    sim.start(host, (face) => {
      face.setTimer(() => {
        for (let i = 0; i < 100; i++) face.send(endpoints[(host + i) % 60] as Uint8Array, 0, bytes, 0, 1400);
      }, 10);
      return {
        receive: (_from, _at, data, offset, length) => void (data[offset + length - 1] === 7 && heard++),
      };
    });
  }
  sim.run(1_000);
  const { digest, totals } = { digest: sim.digest(), totals: sim.totals() };
  const all = sim.gather({ heard, posted: crew?.mail.posted ?? 0 });
  return {
    digest,
    totals,
    heard: all.reduce((sum, one) => sum + one.heard, 0),
    hosts: 60,
    lookAheadMs: sim.lookAheadMs,
    posted: all.reduce((sum, one) => sum + one.posted, 0),
  };
}

/** Breaks in one worker, each in its own way. */
function breaking(
  how: (sim: Simulator, host: number, owns: boolean) => void,
): (seed: number, crew?: Crew) => Result {
  return (seed, crew) => {
    const sim = world(seed, crew);
    for (let row = 0; row < 60; row++) {
      const host = sim.addHost({ row, link: ACCESS_CLASSES[0] as AccessClass });
      sim.start(host, (face) => new Gossip(face, [sim.network.boundEndpoint((row * 7) % 60)]));
    }
    how(sim, 17, sim.owns(17));
    sim.run(5_000);
    return { digest: sim.digest(), totals: sim.totals(), heard: 0, hosts: 60, lookAheadMs: 0, posted: 0 };
  };
}

export const scripts: Readonly<Record<string, (seed: number, crew?: Crew) => Result>> = {
  everything,
  flood,
  throwing: breaking((sim, host) => {
    sim.start(host, (face) => {
      face.setTimer(() => {
        throw new Error('broken node');
      }, 700);
      return { receive: () => {} };
    });
  }),
  drawing: breaking((sim, host) => {
    sim.start(host, (face) => {
      face.setTimer(() => sim.rng.u32(), 700);
      return { receive: () => {} };
    });
  }),
  steering: breaking((sim, host) => {
    sim.start(host, (face) => {
      face.setTimer(() => sim.stop(3), 700);
      return { receive: () => {} };
    });
  }),
  leaving: breaking((sim, _host, owns) => {
    if (owns) sim.run(1_000);
    else sim.gather(1);
  }),
  dying: breaking((sim, _host, owns) => {
    sim.call(500, () => {
      if (owns) process.exit(3);
    });
  }),
};
