/**
 * Compliance cases for transports, as data: whoever writes a transport runs each case in a test runner of their own.
 * A case throws an Error that says what was expected. Time is the factory's: a case only ever waits for `settle`.
 */
import {
  type BoundAddress,
  ENDPOINT_BYTES,
  endpointAddress,
  endpointPort,
  type Transport,
  type TransportHost,
  writeEndpoint,
} from '@molia/core';

/** What a case works with: fresh transports that can reach each other, and a way to let pending datagrams arrive. */
export interface TransportLab {
  /** A transport that is not open yet, on a free local address. */
  create(): Transport;
  /** Resolves when everything that was sent has arrived or is lost. */
  settle(): Promise<void>;
}

export interface TransportCase {
  /** A sentence that says what holds. */
  readonly name: string;
  run(lab: TransportLab): Promise<void>;
}

interface Received {
  readonly from: string;
  readonly bytes: Uint8Array;
}

/** A host that interns endpoints as small integers and keeps what comes. */
class Side {
  readonly received: Received[] = [];
  readonly failures: Error[] = [];
  readonly transport: Transport;
  bound: readonly BoundAddress[] = [];
  readonly #paths: string[] = [];

  constructor(transport: Transport) {
    this.transport = transport;
  }

  async open(): Promise<this> {
    this.bound = await this.transport.open(this.#host());
    return this;
  }

  sendTo(other: Side, bytes: Uint8Array, offset = 0, length: number = bytes.length): void {
    const to = other.bound[0];
    expect(to !== undefined, 'open resolves with at least one bound address');
    const endpoint = new Uint8Array(ENDPOINT_BYTES + 3);
    writeEndpoint(endpoint, 3, to.address, to.port);
    this.transport.send(this.#path(to.address, to.port), endpoint, 3, bytes, offset, length);
  }

  #path(address: string, port: number): number {
    const text = `${address} ${port}`;
    const at = this.#paths.indexOf(text);
    return at >= 0 ? at : this.#paths.push(text) - 1;
  }

  #host(): TransportHost {
    return {
      path: (address, port) => this.#path(address, port),
      endpointPath: (endpoint, offset) =>
        this.#path(endpointAddress(endpoint, offset), endpointPort(endpoint, offset)),
      receive: (path, bytes, offset, length) => {
        this.received.push({ from: this.#paths[path] ?? '', bytes: bytes.slice(offset, offset + length) });
      },
      fail: (error) => this.failures.push(error),
    };
  }
}

function expect(condition: boolean, sentence: string): asserts condition {
  if (!condition) throw new Error(`a transport must hold: ${sentence}`);
}

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 0xff);
}

function same(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && a.length === b.length && a.every((byte, i) => byte === b[i]);
}

async function pair(lab: TransportLab): Promise<[Side, Side]> {
  return [await new Side(lab.create()).open(), await new Side(lab.create()).open()];
}

async function closeBoth(...sides: Side[]): Promise<void> {
  for (const side of sides) await side.transport.close();
  for (const side of sides)
    expect(side.failures.length === 0, 'fail is not called for a transport that works');
}

export const transportCases: readonly TransportCase[] = Object.freeze([
  {
    name: 'says what it is before it is opened',
    async run(lab) {
      const { apiVersion, scheme, datagramBytesMax } = lab.create();
      expect(apiVersion === 1, 'apiVersion is 1');
      expect(/^[a-z][a-z0-9]*$/.test(scheme), 'scheme is a lower-case word');
      expect(datagramBytesMax >= 1280, 'datagrams of 1280 bytes fit');
    },
  },
  {
    name: 'opens on an address with a port, of the family it says',
    async run(lab) {
      const side = await new Side(lab.create()).open();
      expect(side.bound.length > 0, 'open resolves with at least one bound address');
      for (const { family, address, port } of side.bound) {
        expect(port > 0 && port < 65_536, 'a bound port lies in 1 to 65535');
        expect(address.includes(':') === (family === 6), 'the family is that of the address');
      }
      await closeBoth(side);
    },
  },
  {
    name: 'carries datagrams of 1 byte up to its maximum unchanged, and says from where',
    async run(lab) {
      const [a, b] = await pair(lab);
      for (const length of [1, 148, 1200, a.transport.datagramBytesMax]) {
        const bytes = pattern(length);
        a.sendTo(b, bytes);
        await lab.settle();
        const last = b.received.at(-1);
        expect(same(last?.bytes, bytes), `a datagram of ${length} bytes arrives as it was sent`);
        expect(last?.from === `${a.bound[0]?.address} ${a.bound[0]?.port}`, 'the path is that of the sender');
      }
      b.sendTo(a, pattern(77));
      await lab.settle();
      expect(same(a.received[0]?.bytes, pattern(77)), 'the way back works from the same address');
      await closeBoth(a, b);
    },
  },
  {
    name: 'sends only the bytes from offset to length, and has done with them when send returns',
    async run(lab) {
      const [a, b] = await pair(lab);
      const bytes = pattern(300);
      const expected = bytes.slice(50, 170);
      a.sendTo(b, bytes, 50, 120);
      bytes.fill(0);
      await lab.settle();
      expect(same(b.received[0]?.bytes, expected), 'bytes changed after send do not change the datagram');
      await closeBoth(a, b);
    },
  },
  {
    name: 'keeps datagrams apart: none is joined, split or delivered twice',
    async run(lab) {
      const [a, b] = await pair(lab);
      for (let i = 1; i <= 20; i++) a.sendTo(b, pattern(i));
      await lab.settle();
      expect(b.received.length <= 20, 'no datagram arrives twice');
      for (const { bytes } of b.received)
        expect(same(bytes, pattern(bytes.length)), 'every datagram is whole');
      expect(b.received.length >= 1, 'datagrams arrive on a path that loses none');
      await closeBoth(a, b);
    },
  },
  {
    name: 'never throws from send: not for too large a datagram, nor after close',
    async run(lab) {
      const [a, b] = await pair(lab);
      a.sendTo(b, pattern(a.transport.datagramBytesMax + 1));
      await lab.settle();
      expect(b.received.length === 0, 'a datagram beyond datagramBytesMax is not delivered');
      await a.transport.close();
      a.sendTo(b, pattern(10));
      await lab.settle();
      expect(b.received.length === 0, 'nothing is sent after close');
      await closeBoth(a, b);
    },
  },
  {
    name: 'counts what goes out and comes in',
    async run(lab) {
      const [a, b] = await pair(lab);
      for (let i = 0; i < 5; i++) a.sendTo(b, pattern(100));
      await lab.settle();
      const [out, into] = [a.transport.stats(), b.transport.stats()];
      expect(out.datagramsOut === 5 && out.bytesOut === 500, 'datagramsOut and bytesOut count what was sent');
      expect(into.datagramsIn === b.received.length, 'datagramsIn counts what was delivered');
      expect(into.bytesIn === 100 * b.received.length, 'bytesIn counts its bytes');
      await closeBoth(a, b);
    },
  },
  {
    name: 'closes more than once, and delivers nothing afterwards',
    async run(lab) {
      const [a, b] = await pair(lab);
      await b.transport.close();
      await b.transport.close();
      a.sendTo(b, pattern(10));
      await lab.settle();
      expect(b.received.length === 0, 'a closed transport delivers nothing');
      await closeBoth(a, b);
    },
  },
] satisfies TransportCase[]);
