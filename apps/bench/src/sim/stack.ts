/** A node of the simulation: the daemon's own stack (wireguard and kademlia as `Shard` wires them) on a simulated host. */
import {
  type Curves,
  createIdentity,
  endpointAddress,
  endpointPort,
  type Identity,
  type Transport,
  type TransportHost,
} from '@molia/core';
import { Shard } from '@molia/dht/shard';
import {
  createMemoryStore,
  type Kademlia,
  type KademliaEvent,
  type RecordStore,
  type Tuning,
} from '@molia/kademlia';
import { createStubIdentity, type SimHost, type SimNode, StubCipher, stubCurves } from '@molia/sim';
import { type Cipher, defaultCipher } from '@molia/wireguard';

/** What protects the nodes: the real thing, or checksums that let the protocol take the same steps. */
export interface Crypto {
  readonly name: 'real' | 'stub';
  readonly curves: Curves;
  readonly cipher: Cipher;
  /** The identity of a seed of 32 bytes. */
  identity(seed: Uint8Array): Identity;
}

export function realCrypto(curves: Curves): Crypto {
  return { name: 'real', curves, cipher: defaultCipher(), identity: (seed) => createIdentity(curves, seed) };
}

/** `keysFrom`: take the public keys of these curves, so that ids are the same as in a real run. */
export function stubCrypto(keysFrom?: Curves): Crypto & { readonly cipher: StubCipher } {
  return {
    name: 'stub',
    curves: stubCurves,
    cipher: new StubCipher(),
    identity: (seed) =>
      createStubIdentity(keysFrom === undefined ? seed : createIdentity(keysFrom, seed).publicKey),
  };
}

export interface StackOptions {
  readonly crypto: Crypto;
  readonly identity: Identity;
  /** 32 bytes. */
  readonly presharedKey?: Uint8Array;
  readonly tuning?: Partial<Tuning>;
  readonly client?: boolean;
  readonly recordsMax?: number;
  /** The records of an earlier life on this host; none when missing. */
  readonly store?: RecordStore;
  /** Hears of every datagram handed to the socket; the bytes are borrowed. */
  readonly onSend?: (endpoint: Uint8Array, endpointOffset: number) => void;
  /** The slot and its bytes are borrowed. */
  readonly onEvent: (node: StackNode, event: KademliaEvent) => void;
}

const PUBLIC = new Uint8Array(32);
const NO_STATS = { datagramsIn: 0, datagramsOut: 0, bytesIn: 0, bytesOut: 0, sendErrors: 0 };
/** Sessions of one node: twice what its table and a few lookups touch. */
const PEERS_MAX = 4096;

export class StackNode implements SimNode {
  readonly host: number;
  readonly identity: Identity;
  /** Where others reach it when no NAT box is before it. */
  readonly endpoint: Uint8Array;
  readonly store: RecordStore;
  readonly #shard: Shard;
  readonly #carrier: TransportHost;

  constructor(host: SimHost, options: StackOptions) {
    const { crypto } = options;
    this.host = host.index;
    this.identity = options.identity;
    this.endpoint = host.endpoint;
    this.store =
      options.store ??
      createMemoryStore({
        id: this.identity.id,
        rng: host.rng,
        countMax: options.recordsMax ?? 4096,
        bytesMax: 4 * 2 ** 20,
      });
    this.#shard = new Shard({
      identity: this.identity,
      presharedKey: options.presharedKey ?? PUBLIC,
      curves: crypto.curves,
      cipher: crypto.cipher,
      rng: host.rng,
      clock: host,
      transport: carrierOf(host, options.onSend),
      store: this.store,
      client: options.client ?? false,
      peersMax: PEERS_MAX,
      tuning: options.tuning,
      onEvent: (event) => options.onEvent(this, event),
      onFail: (error) => {
        throw error;
      },
    });
    this.#carrier = this.#shard.host();
    const { endpoint } = this;
    this.#shard.attach([
      { family: 4, address: endpointAddress(endpoint, 0), port: endpointPort(endpoint, 0) },
    ]);
  }

  get kademlia(): Kademlia {
    return this.#shard.kademlia;
  }

  get shard(): Shard {
    return this.#shard;
  }

  now(): number {
    return this.#shard.now();
  }

  /** Sends what the engines have ready: after every call of one of their methods. */
  pump(): void {
    this.#shard.pump();
  }

  receive(
    endpoint: Uint8Array,
    endpointOffset: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    this.#carrier.receive(this.#shard.paths.of(endpoint, endpointOffset), bytes, offset, length);
  }
}

function carrierOf(host: SimHost, onSend: StackOptions['onSend']): Transport {
  return {
    apiVersion: 1,
    scheme: 'sim',
    datagramBytesMax: 1452,
    open: async () => [],
    send: (_path, endpoint, endpointOffset, bytes, offset, length) => {
      onSend?.(endpoint, endpointOffset);
      host.send(endpoint, endpointOffset, bytes, offset, length);
    },
    stats: () => NO_STATS,
    close: async () => {},
  };
}
