/**
 * UDP through node:dgram: the fallback where the addon is not built.
 *
 * A datagram is sent without asking libuv for its result, except one in `SEND_CHECK_EVERY` and the first one to a
 * path: a callback on each costs a nextTick, and a flood of those starves timers. Errors that the kernel reports
 * (unreachable network, no permission, ICMP) are counted. Refuses to guess: an address that cannot be bound rejects.
 */
import { Buffer } from 'node:buffer';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import {
  type BoundAddress,
  endpointAddress,
  endpointPort,
  type Transport,
  type TransportHost,
  type TransportStats,
} from '@molia/core';
import { bindAll, bindError } from './addresses.ts';
import { DATAGRAM_BYTES_MAX, SEND_CHECK_EVERY, SEND_QUEUE_BYTES_MAX } from './constants.ts';
import type { ResolvedUdpOptions } from './udp.ts';

const INDEX_MASK = 0xfffff;
/** Codes after which a socket is of no use any more. */
const FATAL = new Set(['EBADF', 'ENOTSOCK']);

export class DgramUdp implements Transport {
  readonly apiVersion = 1;
  readonly scheme = 'udp';
  readonly driver = 'dgram';
  readonly datagramBytesMax = DATAGRAM_BYTES_MAX;
  readonly #options: ResolvedUdpOptions;
  #sockets: Socket[] = [];
  #families: number[] = [];
  #host: TransportHost | undefined;
  /** By path index: the handle, its address as dgram takes it, and the socket it was heard on. */
  readonly #paths: number[] = [];
  readonly #addresses: string[] = [];
  readonly #socketOf: number[] = [];
  #sinceCheck = 0;
  #datagramsIn = 0;
  #datagramsOut = 0;
  #bytesIn = 0;
  #bytesOut = 0;
  #sendErrors = 0;

  constructor(options: ResolvedUdpOptions) {
    this.#options = options;
  }

  async open(host: TransportHost): Promise<readonly BoundAddress[]> {
    this.#host = host;
    const bound = await bindAll(
      this.#options.listen,
      (local) => this.#bind(local),
      () => this.#closeSockets(),
    );
    for (const [index, socket] of this.#sockets.entries()) this.#attach(socket, index);
    return bound;
  }

  send(
    path: number,
    endpoint: Uint8Array,
    endpointOffset: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const index = path & INDEX_MASK;
    const known = this.#paths[index] === path;
    if (!known && !this.#learn(path, endpoint, endpointOffset)) {
      this.#sendErrors++;
      return;
    }
    const socket = this.#sockets[this.#socketOf[index] as number];
    if (socket === undefined) {
      this.#sendErrors++;
      return;
    }
    // libuv keeps the buffer while the socket is full, so it gets its own copy: a slice of dgram's costs as much.
    const copy = Buffer.allocUnsafe(length);
    copy.set(offset === 0 && length === bytes.length ? bytes : bytes.subarray(offset, offset + length), 0);
    const port = endpointPort(endpoint, endpointOffset);
    const address = this.#addresses[index] as string;
    this.#datagramsOut++;
    this.#bytesOut += length;
    if (known && ++this.#sinceCheck < SEND_CHECK_EVERY) {
      socket.send(copy, port, address);
      return;
    }
    this.#sinceCheck = 0;
    if (socket.getSendQueueSize() > SEND_QUEUE_BYTES_MAX) this.#sendErrors++;
    else socket.send(copy, port, address, this.#sent);
  }

  stats(): TransportStats {
    return {
      datagramsIn: this.#datagramsIn,
      datagramsOut: this.#datagramsOut,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      sendErrors: this.#sendErrors,
    };
  }

  async close(): Promise<void> {
    this.#host = undefined;
    await this.#closeSockets();
  }

  async #closeSockets(): Promise<void> {
    const sockets = this.#sockets;
    this.#sockets = [];
    this.#families = [];
    await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))));
  }

  readonly #sent = (error: Error | null): void => {
    if (error !== null) this.#sendErrors++;
  };

  #attach(socket: Socket, index: number): void {
    const host = this.#host as TransportHost;
    socket.on('message', (message: Buffer, from: RemoteInfo) => {
      this.#datagramsIn++;
      this.#bytesIn += message.length;
      if (message.length > DATAGRAM_BYTES_MAX || this.#sockets[index] !== socket) return;
      const path = host.path(withoutZone(from.address), from.port);
      if (path < 0) return;
      const row = path & INDEX_MASK;
      if (this.#paths[row] !== path) {
        this.#paths[row] = path;
        this.#addresses[row] = from.address;
      }
      this.#socketOf[row] = index;
      host.receive(path, message, 0, message.length);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#sendErrors++;
      if (FATAL.has(error.code ?? '')) host.fail(error);
    });
  }

  /** First datagram to a path: its address as text, and a socket of its family. */
  #learn(path: number, endpoint: Uint8Array, endpointOffset: number): boolean {
    const family = endpoint[endpointOffset] as number;
    const socket = this.#families.indexOf(family);
    if (socket < 0 || endpointPort(endpoint, endpointOffset) === 0) return false;
    const index = path & INDEX_MASK;
    this.#paths[index] = path;
    this.#addresses[index] = endpointAddress(endpoint, endpointOffset);
    this.#socketOf[index] = socket;
    return true;
  }

  async #bind(local: BoundAddress): Promise<BoundAddress> {
    const socket = createSocket({
      type: local.family === 4 ? 'udp4' : 'udp6',
      ipv6Only: local.family === 6,
      lookup: lookupNothing,
    });
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.bind({ address: local.address, port: local.port, exclusive: true }, () => {
          socket.off('error', reject);
          resolve();
        });
      });
    } catch (error) {
      await new Promise<void>((resolve) => socket.close(() => resolve()));
      const { code, message } = error as NodeJS.ErrnoException;
      throw bindError(local, code ?? message, error);
    }
    setBuffers(socket, this.#options.socketBufferBytes);
    this.#sockets.push(socket);
    this.#families.push(local.family);
    const { address, port } = socket.address();
    return { family: local.family, address, port };
  }
}

/** dgram asks for every send; ours are numeric addresses always, so it is answered at once, without a thread. */
function lookupNothing(
  address: string,
  _options: unknown,
  callback: (error: Error | null, address: string, family: number) => void,
): void {
  callback(null, address, address.includes(':') ? 6 : 4);
}

/** Some systems refuse large buffers instead of capping them: then half, down to what was there. */
function setBuffers(socket: Socket, bytes: number): void {
  for (let size = bytes; size >= 65_536; size >>= 1) {
    try {
      socket.setRecvBufferSize(size);
      socket.setSendBufferSize(size);
      return;
    } catch {
      // The next smaller size may be allowed.
    }
  }
}

function withoutZone(address: string): string {
  const zone = address.indexOf('%');
  return zone < 0 ? address : address.slice(0, zone);
}
