/**
 * UDP over IPv4 and IPv6 through node:dgram, behind core's transport contract.
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
  type MoliaError,
  parseEndpoint,
  type Transport,
  type TransportHost,
  type TransportStats,
} from '@molia/core';
import {
  DATAGRAM_BYTES_MAX,
  PORT_ATTEMPTS_MAX,
  SEND_CHECK_EVERY,
  SEND_QUEUE_BYTES_MAX,
  SOCKET_BUFFER_BYTES,
} from './constants.ts';
import { dhtError, rangeError } from './errors.ts';

export interface UdpOptions {
  /** `'0.0.0.0:0'`, `'[::]:4711'`. Default: both families on one random port, without IPv6 where there is none. */
  readonly listen?: readonly string[];
  /** Kernel buffer of each direction, bytes. Default 4 MiB. */
  readonly socketBufferBytes?: number;
}

interface Local {
  readonly family: 4 | 6;
  readonly address: string;
  readonly port: number;
}

const INDEX_MASK = 0xfffff;
/** Codes after which a socket is of no use any more. */
const FATAL = new Set(['EBADF', 'ENOTSOCK']);

/** `listen` is checked at once: RangeError with code INVALID_ARGUMENT. */
export function createUdpTransport(options: UdpOptions = {}): Transport {
  return new UdpTransport(options);
}

class UdpTransport implements Transport {
  readonly apiVersion = 1;
  readonly scheme = 'udp';
  readonly datagramBytesMax = DATAGRAM_BYTES_MAX;
  readonly #locals: readonly Local[] | undefined;
  readonly #bufferBytes: number;
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

  constructor(options: UdpOptions) {
    this.#locals = options.listen?.map(parseLocal);
    this.#bufferBytes = options.socketBufferBytes ?? SOCKET_BUFFER_BYTES;
  }

  async open(host: TransportHost): Promise<readonly BoundAddress[]> {
    this.#host = host;
    try {
      if (this.#locals !== undefined) {
        for (const local of this.#locals) await this.#bind(local);
      } else {
        await this.#bindBoth();
      }
    } catch (error) {
      await this.close();
      throw error;
    }
    for (const [index, socket] of this.#sockets.entries()) this.#attach(socket, index);
    return this.#sockets.map((socket, index) => {
      const { address, port } = socket.address();
      return { family: this.#families[index] as 4 | 6, address, port };
    });
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
    const sockets = this.#sockets;
    this.#sockets = [];
    this.#host = undefined;
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

  async #bindBoth(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      await this.#bind({ family: 4, address: '0.0.0.0', port: 0 });
      const { port } = (this.#sockets[0] as Socket).address();
      try {
        await this.#bind({ family: 6, address: '::', port });
        return;
      } catch (error) {
        const { code } = error as MoliaError;
        if (code !== 'ADDRESS_IN_USE') return; // a machine without IPv6
        if (attempt >= PORT_ATTEMPTS_MAX) throw error;
        const [socket] = this.#sockets.splice(0);
        this.#families = [];
        await new Promise<void>((resolve) => (socket as Socket).close(() => resolve()));
      }
    }
  }

  async #bind(local: Local): Promise<void> {
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
      throw bindError(local, error as NodeJS.ErrnoException);
    }
    setBuffers(socket, this.#bufferBytes);
    this.#sockets.push(socket);
    this.#families.push(local.family);
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

function parseLocal(text: string): Local {
  try {
    const bytes = parseEndpoint(text);
    return { family: bytes[0] === 4 ? 4 : 6, address: endpointAddress(bytes), port: endpointPort(bytes) };
  } catch (cause) {
    throw rangeError(
      'INVALID_ARGUMENT',
      `listen address ${JSON.stringify(text)}: expected '0.0.0.0:4711' or '[::]:4711' (${(cause as Error).message})`,
    );
  }
}

function bindError(local: Local, cause: NodeJS.ErrnoException): MoliaError {
  const at = local.family === 4 ? `${local.address}:${local.port}` : `[${local.address}]:${local.port}`;
  if (cause.code === 'EADDRINUSE') {
    return dhtError('ADDRESS_IN_USE', `UDP address ${at} is taken by another process`, {
      cause,
      hint: 'stop the other process, or choose another port (0 = any free one)',
    });
  }
  const why =
    cause.code === 'EACCES'
      ? 'this user may not bind it: choose a port above 1023'
      : cause.code === 'EADDRNOTAVAIL'
        ? 'it is no address of this machine: use 0.0.0.0 or [::] for all of them'
        : 'choose another address';
  return dhtError(
    'ADDRESS_UNAVAILABLE',
    `UDP address ${at} cannot be bound (${cause.code ?? cause.message})`,
    {
      cause,
      hint: why,
    },
  );
}
