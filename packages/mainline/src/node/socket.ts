/** The engine's pump over `node:dgram`: the one file that touches a socket, a clock, a timer or a name server. */
import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { performance } from 'node:perf_hooks';
import { ENDPOINT_BYTES, endpointAddress, endpointPort, IDLE, writeEndpoint } from '@molia/core';
import type { MainlineEngine } from '../engine.ts';
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

/** Binds a socket and runs the engine on it. `onEvent` borrows its event. Rejects with the system's error when the port is taken. */
export async function openPump(
  engine: MainlineEngine,
  family: 4 | 6,
  host: string,
  ports: readonly number[],
  onEvent: (event: MainlineEvent) => void,
): Promise<Pump> {
  const startedAt = performance.now();
  const now = (): number => Math.floor(performance.now() - startedAt);
  const socket = await bindFirst(family, host, ports);
  const endpoint = new Uint8Array(ENDPOINT_BYTES);
  writeEndpoint(endpoint, 0, socket.address().address, socket.address().port);
  const from = new Uint8Array(ENDPOINT_BYTES);
  const out = createDatagram();
  const event = createMainlineEvent();
  let timer: NodeJS.Timeout | undefined;
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
        // The kernel copies before the callback; Node does not, so the slot's bytes are.
        const bytes = Buffer.from(out.bytes.subarray(0, out.length));
        socket.send(bytes, endpointPort(out.endpoint, 0), endpointAddress(out.endpoint, 0), ignore);
      }
      while (engine.pollEvent(event)) {
        more = true;
        onEvent(event);
      }
    }
    draining = false;
    clearTimeout(timer);
    const delay = engine.nextDelay(now());
    if (delay < IDLE) timer = setTimeout(wake, delay);
  };
  const wake = (): void => {
    if (closed) return;
    engine.handleTimeout(now());
    drain();
  };
  socket.on('message', (bytes, info) => {
    writeEndpoint(from, 0, info.address.split('%')[0] as string, info.port);
    engine.handleDatagram(now(), from, 0, bytes, 0, bytes.length);
    drain();
  });
  // An address that is unreachable is a lost datagram; the engine's timeouts know what to do.
  socket.on('error', ignore);
  wake();
  return {
    endpoint,
    now,
    drain,
    close: () =>
      new Promise((resolve) => {
        closed = true;
        clearTimeout(timer);
        socket.close(() => resolve());
      }),
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
        const { address } = await lookup(host, { family });
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
