/** The engine's pump over `node:dgram` or a transport: the one file that touches a socket, a clock, a timer or a name server. */
import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { performance } from 'node:perf_hooks';
import {
  copyBytes,
  createSecureRng,
  ENDPOINT_BYTES,
  endpointAddress,
  endpointPort,
  IDLE,
  NONE,
  type Transport,
  writeEndpoint,
} from '@molia/core';
import type { MainlineEngine } from '../engine.ts';
import { LruKeys } from '../lru-keys.ts';
import { createDatagram } from '../outbox.ts';
import { createMainlineEvent, type MainlineEvent } from '../types.ts';

export interface Pump {
  /** The bound address. */
  readonly endpoint: Uint8Array;
  now(): number;
  /** Sends what waits, reports events, sets the timer. Call after every call of the engine. */
  drain(): void;
  close(): Promise<void>;
}

/** Endpoints that a transport's paths stand for. */
const PATHS_MAX = 16_384;

/** What carries the datagrams. */
interface Carrier {
  readonly endpoint: Uint8Array;
  send(endpoint: Uint8Array, bytes: Uint8Array, length: number): void;
  close(): Promise<void>;
}

type Receive = (from: Uint8Array, bytes: Uint8Array, offset: number, length: number) => void;

/** Opens a carrier whose datagrams go to `receive`; rejects with the system's error when the address is taken. */
export type OpenCarrier = (receive: Receive) => Promise<Carrier>;

/** Runs the engine on a carrier. `onEvent` borrows its event. */
export async function openPump(
  engine: MainlineEngine,
  open: OpenCarrier,
  onEvent: (event: MainlineEvent) => void,
): Promise<Pump> {
  const startedAt = performance.now();
  const now = (): number => Math.floor(performance.now() - startedAt);
  const out = createDatagram();
  const event = createMainlineEvent();
  let timer: NodeJS.Timeout | undefined;
  let timerAt = Number.POSITIVE_INFINITY;
  let draining = false;
  let closed = false;

  const drain = (): void => {
    if (closed || draining) return;
    draining = true;
    // BOUNDED: by the outbox and by the events of one input; a listener that starts operations adds to them at most OPERATIONS_MAX.
    for (let more = true; more; ) {
      more = false;
      while (engine.pollTransmit(out)) {
        more = true;
        carrier.send(out.endpoint, out.bytes, out.length);
      }
      while (engine.pollEvent(event)) {
        more = true;
        onEvent(event);
      }
    }
    draining = false;
    const at = now();
    const delay = engine.nextDelay(at);
    // A timer that is armed early enough stays: an early call is harmless, and a server's queries move no deadline.
    if (delay >= IDLE || at + delay >= timerAt) return;
    clearTimeout(timer);
    timerAt = at + delay;
    timer = setTimeout(wake, delay);
  };
  const wake = (): void => {
    timerAt = Number.POSITIVE_INFINITY;
    if (closed) return;
    engine.handleTimeout(now());
    drain();
  };
  const carrier = await open((from, bytes, offset, length) => {
    if (closed) return;
    engine.handleDatagram(now(), from, 0, bytes, offset, length);
    drain();
  });
  wake();
  return {
    endpoint: carrier.endpoint,
    now,
    drain,
    close: () => {
      closed = true;
      clearTimeout(timer);
      return carrier.close();
    },
  };
}

/** A socket of one family on the first of the ports that is free. */
export function overDgram(family: 4 | 6, host: string, ports: readonly number[]): OpenCarrier {
  return async (receive) => {
    const socket = await bindFirst(family, host, ports);
    const endpoint = new Uint8Array(ENDPOINT_BYTES);
    writeEndpoint(endpoint, 0, socket.address().address, socket.address().port);
    const from = new Uint8Array(ENDPOINT_BYTES);
    socket.on('message', (bytes, info) => {
      writeEndpoint(from, 0, info.address.split('%')[0] as string, info.port);
      receive(from, bytes, 0, bytes.length);
    });
    // An address that is unreachable is a lost datagram; the engine's timeouts know what to do.
    socket.on('error', ignore);
    return {
      endpoint,
      send: (to, bytes, length) => {
        // The kernel copies before the callback; Node does not, so the slot's bytes are.
        const copy = Buffer.from(bytes.subarray(0, length));
        socket.send(copy, endpointPort(to, 0), endpointAddress(to, 0), ignore);
      },
      close: () => new Promise((resolve) => void socket.close(() => resolve())),
    };
  };
}

/** A transport of the caller's; of its addresses the first of our family counts as ours. */
export function overTransport(transport: Transport, family: 4 | 6): OpenCarrier {
  return async (receive) => {
    const paths = new LruKeys(ENDPOINT_BYTES, PATHS_MAX, createSecureRng());
    const from = new Uint8Array(ENDPOINT_BYTES);
    const endpointPath = (endpoint: Uint8Array, at: number): number => {
      const path = paths.find(endpoint, at);
      if (path === NONE) return paths.insert(endpoint, at);
      paths.touch(path);
      return path;
    };
    const bound = await transport.open({
      endpointPath,
      path: (address, port) => {
        writeEndpoint(from, 0, address, port);
        return endpointPath(from, 0);
      },
      receive: (path, bytes, offset, length) => {
        copyBytes(from, 0, paths.keys, path * ENDPOINT_BYTES, ENDPOINT_BYTES);
        receive(from, bytes, offset, length);
      },
      // Then nothing comes any more, and all operations time out.
      fail: ignore,
    });
    const own = bound.find((local) => local.family === family);
    if (own === undefined) {
      await transport.close();
      throw new RangeError(`the transport listens on no address of family ${family}`);
    }
    const endpoint = new Uint8Array(ENDPOINT_BYTES);
    writeEndpoint(endpoint, 0, own.address, own.port);
    return {
      endpoint,
      send: (to, bytes, length) => transport.send(endpointPath(to, 0), to, 0, bytes, 0, length),
      close: () => transport.close(),
    };
  };
}

function ignore(): void {}

async function bindFirst(family: 4 | 6, host: string, ports: readonly number[]): Promise<Socket> {
  for (let i = 0; ; i++) {
    const socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6', ipv6Only: family === 6 });
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.bind(ports[i], host, resolve);
      });
      socket.removeAllListeners('error');
      return socket;
    } catch (cause) {
      socket.close();
      if (i + 1 >= ports.length) throw cause;
    }
  }
}

/** Endpoints of `host:port` texts in one family; names that do not resolve are left out. */
export async function resolveEndpoints(texts: readonly string[], family: 4 | 6): Promise<Uint8Array[]> {
  const found = await Promise.all(
    texts.map(async (text) => {
      const { host, port } = splitHostPort(text);
      try {
        const { address, family: found } = await lookup(host, { family });
        // An address of the other family is looked up as it stands.
        if (found !== family) return undefined;
        const endpoint = new Uint8Array(ENDPOINT_BYTES);
        writeEndpoint(endpoint, 0, address, port);
        return endpoint;
      } catch {
        return undefined;
      }
    }),
  );
  return found.filter((endpoint) => endpoint !== undefined);
}

/** Throws RangeError that quotes the text. */
export function splitHostPort(text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65535)
    throw new RangeError(`${JSON.stringify(text)} is no bootstrap node: expected host:port`);
  return { host: (match[1] ?? match[2]) as string, port };
}
