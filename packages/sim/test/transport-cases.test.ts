import {
  createSeededRng,
  endpointAddress,
  endpointPort,
  type Transport,
  type TransportHost,
} from '@molia/core';
import { describe, expect, it } from 'vitest';
import {
  LatencyMatrix,
  PERFECT_LINK,
  type SimHost,
  type SimNode,
  Simulator,
  type TransportLab,
  transportCases,
} from '../src/index.ts';

const BYTES_MAX = 1452;

type Flaw =
  | 'none'
  | 'truncates'
  | 'duplicates'
  | 'throws'
  | 'keeps'
  | 'miscounts'
  | 'deaf'
  | 'stays'
  | 'family';

/** A transport over a simulated host, with one flaw on request. */
class SimTransport implements Transport, SimNode {
  readonly apiVersion = 1;
  readonly scheme = 'sim';
  readonly datagramBytesMax = BYTES_MAX;
  readonly #host: SimHost;
  readonly #flaw: Flaw;
  #carrier: TransportHost | undefined;
  #stats = { datagramsIn: 0, datagramsOut: 0, bytesIn: 0, bytesOut: 0, sendErrors: 0 };
  #isClosed = false;

  constructor(host: SimHost, flaw: Flaw) {
    this.#host = host;
    this.#flaw = flaw;
  }

  async open(host: TransportHost) {
    this.#carrier = host;
    const { endpoint } = this.#host;
    const family = this.#flaw === 'family' ? (6 as const) : (4 as const);
    return [{ family, address: endpointAddress(endpoint, 0), port: endpointPort(endpoint, 0) }];
  }

  send(
    _path: number,
    endpoint: Uint8Array,
    at: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    if (length > BYTES_MAX || this.#isClosed) {
      if (this.#flaw === 'throws') throw new Error('too large, or closed');
      return;
    }
    this.#stats = {
      ...this.#stats,
      datagramsOut: this.#stats.datagramsOut + 1,
      bytesOut: this.#stats.bytesOut + length,
    };
    if (this.#flaw === 'miscounts') this.#stats.bytesOut += 8;
    const copies = this.#flaw === 'duplicates' ? 2 : 1;
    const sent = this.#flaw === 'truncates' ? Math.min(length, 1000) : length;
    const carry = (): void => {
      for (let i = 0; i < copies; i++) this.#host.send(endpoint, at, bytes, offset, sent);
    };
    if (this.#flaw === 'keeps') this.#host.setTimer(carry, 1);
    else carry();
  }

  receive(endpoint: Uint8Array, at: number, bytes: Uint8Array, offset: number, length: number): void {
    if ((this.#isClosed && this.#flaw !== 'stays') || this.#flaw === 'deaf') return;
    this.#stats = {
      ...this.#stats,
      datagramsIn: this.#stats.datagramsIn + 1,
      bytesIn: this.#stats.bytesIn + length,
    };
    const path = this.#carrier?.path(endpointAddress(endpoint, at), endpointPort(endpoint, at)) ?? -1;
    this.#carrier?.receive(path, bytes, offset, length);
  }

  stats() {
    return this.#stats;
  }

  async close() {
    this.#isClosed = true;
  }
}

function lab(flaw: Flaw): TransportLab {
  const matrix = LatencyMatrix.plane(4, 10, createSeededRng(1));
  const sim = new Simulator({ seed: 1, matrix, mtuBytes: 2000 });
  return {
    create: () =>
      sim.start(
        sim.addHost({ row: 1, link: PERFECT_LINK }),
        (host) => new SimTransport(host, flaw),
      ) as SimTransport,
    settle: async () => sim.run(500),
  };
}

async function broken(flaw: Flaw): Promise<string[]> {
  const names: string[] = [];
  for (const { name, run } of transportCases) {
    try {
      await run(lab(flaw));
    } catch {
      names.push(name);
    }
  }
  return names;
}

describe('the compliance cases for transports', () => {
  it.each(transportCases)('hold for a simulated one: $name', async ({ run }) => {
    await run(lab('none'));
  });

  it.each([
    ['family', 'opens on an address'],
    ['truncates', 'carries datagrams of 1 byte up to its maximum'],
    ['duplicates', 'keeps datagrams apart'],
    ['throws', 'never throws from send'],
    ['keeps', 'sends only the bytes'],
    ['miscounts', 'counts what goes out'],
    ['deaf', 'carries datagrams'],
    ['stays', 'closes more than once'],
  ] as const)('find a transport that has the flaw %s', async (flaw, name) => {
    const names = await broken(flaw);
    expect(names.some((one) => one.startsWith(name))).toBe(true);
  });
});
