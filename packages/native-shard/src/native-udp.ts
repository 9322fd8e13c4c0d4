/**
 * UDP through the addon: datagrams come and go by the batch (recvmmsg, sendmmsg), through memory that was set aside once.
 * What one turn of the event loop sends gathers in a ring and leaves together before the loop waits again; what the
 * kernel does not take then leaves, in order, when it does. Sends from the address that the peer wrote to. In steady state nothing
 * is allocated for a datagram.
 */
import { getSystemErrorName } from 'node:util';
import {
  type BoundAddress,
  copyBytes,
  ENDPOINT_BYTES,
  endpointAddress,
  endpointPort,
  grow,
  type Transport,
  type TransportHost,
  type TransportStats,
  writeEndpoint,
} from '@molia/core';
import { bindAll, bindError } from './addresses.ts';
import { DATAGRAM_BYTES_MAX, SEND_SLOTS } from './constants.ts';
import {
  BATCH_MAX,
  COUNTERS,
  LOCAL_BYTES,
  type Native,
  NativeEvent,
  OpenFlag,
  SLOT_BYTES,
} from './native.ts';
import type { ResolvedUdpOptions } from './udp.ts';

const INDEX_MASK = 0xfffff;
const ROWS_INITIAL = 64;

/** Where this thread's datagrams land: each batch is handled before the next one is read. */
interface Inbox {
  readonly bytes: Uint8Array;
  readonly endpoints: Uint8Array;
  readonly locals: Uint8Array;
  readonly lengths: Int32Array;
}
let inbox: Inbox | undefined;

function inboxOf(addon: Native): Inbox {
  if (inbox !== undefined) return inbox;
  inbox = {
    bytes: new Uint8Array(BATCH_MAX * SLOT_BYTES),
    endpoints: new Uint8Array(BATCH_MAX * ENDPOINT_BYTES),
    locals: new Uint8Array(BATCH_MAX * LOCAL_BYTES),
    lengths: new Int32Array(BATCH_MAX),
  };
  addon.inbox(inbox.bytes, inbox.endpoints, inbox.locals, inbox.lengths);
  return inbox;
}

class NativeSocket {
  readonly id: number;
  readonly family: 4 | 6;
  readonly counters = new Float64Array(COUNTERS.length);
  /** Datagrams for which the ring had no room. */
  dropped = 0;
  readonly #addon: Native;
  /** The host's own buffer, nearly always the same. */
  #source: Uint8Array | undefined;
  readonly #bytes = new Uint8Array(SEND_SLOTS * SLOT_BYTES);
  readonly #endpoints = new Uint8Array(SEND_SLOTS * ENDPOINT_BYTES);
  readonly #locals = new Uint8Array(SEND_SLOTS * LOCAL_BYTES);
  readonly #lengths = new Int32Array(SEND_SLOTS);
  /** Head and tail. */
  readonly #ring = new Int32Array(2);

  /** Throws the `MoliaError` of an address that cannot be bound. */
  constructor(
    addon: Native,
    local: BoundAddress,
    options: ResolvedUdpOptions,
    onEvent: (socket: NativeSocket, event: number, value: number) => void,
  ) {
    this.#addon = addon;
    this.family = local.family;
    const endpoint = new Uint8Array(ENDPOINT_BYTES);
    writeEndpoint(endpoint, 0, local.address, local.port);
    this.id = addon.open(
      endpoint,
      (options.reusePort ? OpenFlag.REUSE_PORT : 0) | (options.dontFragment ? OpenFlag.DONT_FRAGMENT : 0),
      options.dscp,
      options.socketBufferBytes,
      SEND_SLOTS,
      this.#bytes,
      this.#endpoints,
      this.#locals,
      this.#lengths,
      this.#ring,
      this.counters,
      (event, value) => onEvent(this, event, value),
    );
    if (this.id < 0) throw bindError(local, getSystemErrorName(this.id));
  }

  get address(): BoundAddress {
    const out = new Uint8Array(ENDPOINT_BYTES);
    this.#addon.address(this.id, out);
    return { family: this.family, address: endpointAddress(out), port: endpointPort(out) };
  }

  /** Puts a datagram into the ring; it leaves with this turn of the loop. */
  push(
    endpoint: Uint8Array,
    endpointOffset: number,
    locals: Uint8Array,
    localOffset: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const ring = this.#ring;
    if (ring[0] === ring[1]) {
      // From the start again: few datagrams touch few pages.
      ring[0] = 0;
      ring[1] = 0;
    } else if ((((ring[1] as number) - (ring[0] as number)) | 0) >= SEND_SLOTS) {
      this.#addon.flush(this.id);
      if ((((ring[1] as number) - (ring[0] as number)) | 0) >= SEND_SLOTS) {
        this.dropped++;
        return;
      }
    }
    const tail = ring[1] as number;
    const slot = tail & (SEND_SLOTS - 1);
    // A copy by the byte costs a nanosecond each, a view an allocation: the addon copies, from memory that it knows.
    if (this.#source !== bytes) {
      this.#source = bytes;
      this.#addon.source(this.id, bytes);
    }
    this.#addon.copy(this.id, slot, offset, length);
    copyBytes(this.#endpoints, slot * ENDPOINT_BYTES, endpoint, endpointOffset, ENDPOINT_BYTES);
    copyBytes(this.#locals, slot * LOCAL_BYTES, locals, localOffset, LOCAL_BYTES);
    this.#lengths[slot] = length;
    ring[1] = (tail + 1) | 0;
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#addon.close(this.id, resolve));
  }
}

export class NativeUdp implements Transport {
  readonly apiVersion = 1;
  readonly scheme = 'udp';
  readonly driver = 'native';
  readonly datagramBytesMax = DATAGRAM_BYTES_MAX;
  readonly #addon: Native;
  readonly #inbox: Inbox;
  readonly #options: ResolvedUdpOptions;
  #sockets: NativeSocket[] = [];
  #closed: NativeSocket[] = [];
  #host: TransportHost | undefined;
  /** By path index: the handle, the socket it was heard on, the local address it wrote to. */
  #paths = new Int32Array(ROWS_INITIAL).fill(-1);
  #socketOf = new Uint8Array(ROWS_INITIAL);
  #locals = new Uint8Array(ROWS_INITIAL * LOCAL_BYTES);
  #unsendable = 0;

  constructor(addon: Native, options: ResolvedUdpOptions) {
    this.#addon = addon;
    this.#inbox = inboxOf(addon);
    this.#options = options;
  }

  async open(host: TransportHost): Promise<readonly BoundAddress[]> {
    this.#host = host;
    return bindAll(
      this.#options.listen,
      async (local) => {
        const socket = new NativeSocket(this.#addon, local, this.#options, this.#onEvent);
        this.#sockets.push(socket);
        return socket.address;
      },
      () => this.#closeSockets(),
    );
  }

  send(
    path: number,
    endpoint: Uint8Array,
    endpointOffset: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const row = path & INDEX_MASK;
    if (row >= this.#paths.length) this.#extend(row);
    if (this.#paths[row] !== path && !this.#learn(path, row, endpoint[endpointOffset] as number)) {
      this.#unsendable++;
      return;
    }
    const socket = this.#sockets[this.#socketOf[row] as number];
    if (socket === undefined || length > SLOT_BYTES) {
      this.#unsendable++;
      return;
    }
    socket.push(endpoint, endpointOffset, this.#locals, row * LOCAL_BYTES, bytes, offset, length);
  }

  stats(): TransportStats {
    const detail: Record<string, number> = Object.fromEntries(COUNTERS.map((name) => [name, 0]));
    let full = 0;
    for (const socket of [...this.#sockets, ...this.#closed]) {
      full += socket.dropped;
      for (const [cell, name] of COUNTERS.entries())
        detail[name] = (detail[name] as number) + (socket.counters[cell] as number);
    }
    const { datagramsIn, datagramsOut, bytesIn, bytesOut, ...rest } = detail as Record<
      (typeof COUNTERS)[number],
      number
    >;
    const { unreachable, refused, tooLong, otherErrors } = rest;
    return {
      datagramsIn,
      datagramsOut,
      bytesIn,
      bytesOut,
      sendErrors: unreachable + refused + tooLong + otherErrors + full + this.#unsendable,
      detail: { ...rest, full, unsendable: this.#unsendable },
    };
  }

  async close(): Promise<void> {
    this.#host = undefined;
    await this.#closeSockets();
  }

  async #closeSockets(): Promise<void> {
    const sockets = this.#sockets;
    this.#sockets = [];
    this.#closed.push(...sockets);
    await Promise.all(sockets.map((socket) => socket.close()));
  }

  readonly #onEvent = (socket: NativeSocket, event: number, value: number): void => {
    if (event === NativeEvent.RECEIVED) {
      this.#receive(socket, value);
    } else if (event === NativeEvent.MTU) {
      const { endpoints } = this.#inbox;
      this.#options.onPathMtu?.(endpoints.slice(0, ENDPOINT_BYTES), value);
    } else {
      this.#host?.fail(new Error(`UDP socket broken (${getSystemErrorName(value)})`));
    }
  };

  #receive(socket: NativeSocket, count: number): void {
    const { bytes, endpoints, locals, lengths } = this.#inbox;
    const index = this.#sockets.indexOf(socket);
    for (let i = 0; i < count; i++) {
      const host = this.#host;
      // Closed by what the datagram before did.
      if (host === undefined || index < 0) return;
      const length = lengths[i] as number;
      if (length > DATAGRAM_BYTES_MAX) continue;
      const path = host.endpointPath(endpoints, i * ENDPOINT_BYTES);
      const row = path & INDEX_MASK;
      if (row >= this.#paths.length) this.#extend(row);
      this.#paths[row] = path;
      this.#socketOf[row] = index;
      copyBytes(this.#locals, row * LOCAL_BYTES, locals, i * LOCAL_BYTES, LOCAL_BYTES);
      host.receive(path, bytes, i * SLOT_BYTES, length);
    }
  }

  /** First datagram to a path: a socket of its family, whatever local address the kernel chooses. */
  #learn(path: number, row: number, family: number): boolean {
    for (let i = 0; i < this.#sockets.length; i++) {
      if ((this.#sockets[i] as NativeSocket).family !== family) continue;
      this.#paths[row] = path;
      this.#socketOf[row] = i;
      this.#locals.fill(0, row * LOCAL_BYTES, (row + 1) * LOCAL_BYTES);
      return true;
    }
    return false;
  }

  /** BOUNDED: by the host's path table. */
  #extend(row: number): void {
    const before = this.#paths.length;
    let rows = before;
    while (rows <= row) rows *= 2;
    this.#paths = grow(this.#paths, rows).fill(-1, before);
    this.#socketOf = grow(this.#socketOf, rows);
    this.#locals = grow(this.#locals, rows * LOCAL_BYTES);
  }
}
