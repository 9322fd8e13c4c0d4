/** Engines joined without a network: every message is handed over at once, from one buffer to the next engine. */
import { createIdentity, createSeededRng, createTransmit, ENDPOINT_BYTES } from '@molia/core';
import {
  createKademlia,
  createKademliaEvent,
  createMemoryStore,
  type Kademlia,
  type Peers,
} from '@molia/kademlia';
import { cheapCurves } from './cluster.ts';

interface LoopbackNode {
  readonly kademlia: Kademlia;
  readonly publicKey: Uint8Array;
  readonly endpoint: Uint8Array;
}

export class Loopback {
  now = 1_000;
  messages = 0;
  private readonly nodes: LoopbackNode[] = [];
  private readonly out = createTransmit();
  private readonly event = createKademliaEvent();
  /** Nodes with something to send. */
  private readonly busy: number[] = [];

  /** Everybody knows everybody that fits. */
  constructor(count: number) {
    const byKey = new Map<number, number>();
    const peers: Peers = {
      open: (_now, key, offset) => byKey.get(word(key, offset)) ?? -1,
      identity: (peer, out, offset) => {
        const { publicKey } = this.node(peer);
        for (let i = 0; i < 32; i++) out[offset + i] = publicKey[i] as number;
        return true;
      },
      endpoint: (peer, out, offset) => {
        const { endpoint } = this.node(peer);
        for (let i = 0; i < ENDPOINT_BYTES; i++) out[offset + i] = endpoint[i] as number;
        return true;
      },
      bindIdentity: () => false,
    };
    for (let i = 0; i < count; i++) {
      const rng = createSeededRng(100 + i);
      const identity = createIdentity(cheapCurves, undefined, rng);
      const endpoint = new Uint8Array(ENDPOINT_BYTES);
      endpoint.set([4, 10, 0, i >>> 8, i & 255]);
      endpoint[18] = 1;
      const kademlia = createKademlia({
        identity,
        peers,
        store: createMemoryStore({ id: identity.id, rng, countMax: 1024, bytesMax: 8 * 2 ** 20 }),
        rng,
        curves: cheapCurves,
        wallMsAtZero: 1_800_000_000_000,
        // Rates are not what is measured.
        tuning: { maintenance: false, peerUnitsBurst: 2 ** 40, peerUnitsPerSecond: 2 ** 40 },
      });
      byKey.set(word(identity.publicKey, 0), i);
      this.nodes.push({ kademlia, publicKey: identity.publicKey, endpoint });
    }
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < count; j++) {
        if (i === j) continue;
        this.node(i).kademlia.ping(this.now, this.node(j).publicKey, this.node(j).endpoint);
        this.settle(i);
        while (this.node(i).kademlia.pollEvent(this.event));
      }
    }
  }

  node(index: number): LoopbackNode {
    return this.nodes[index] as LoopbackNode;
  }

  /** Delivers until nobody has anything to send, beginning with one node. */
  settle(first: number): void {
    const { busy, out } = this;
    busy.push(first);
    while (busy.length > 0) {
      const from = busy.pop() as number;
      const { kademlia } = this.node(from);
      while (kademlia.pollTransmit(this.now, out)) {
        this.messages++;
        const to = out.to;
        this.node(to).kademlia.handleDatagram(this.now, from, out.bytes, out.offset, out.length);
        busy.push(to);
      }
    }
  }
}

function word(key: Uint8Array, offset: number): number {
  return (
    ((key[offset] as number) << 24) |
    ((key[offset + 1] as number) << 16) |
    ((key[offset + 2] as number) << 8) |
    (key[offset + 3] as number)
  );
}
