/** What must not allocate once warm: finding the path of a datagram, and the whole stack from datagram to datagram. */
import {
  createIdentity,
  createSeededRng,
  createTransmit,
  ENDPOINT_BYTES,
  NONE,
  nobleCurves,
  type Transport,
  type TransportHost,
} from '@molia/core';
import { createMemoryStore } from '@molia/kademlia';
import { MessageType, writeFindNodeRequest, writeHeader } from '@molia/wire';
import { createWireguard } from '@molia/wireguard';
import { PathTable } from '../../src/paths.ts';
import { Shard } from '../../src/shard.ts';

const clock = {
  wallMsAtZero: 1_800_000_000_000,
  now: () => 5,
  setTimer: () => undefined,
  clearTimer: () => undefined,
  defer: () => undefined,
};

/** A shard whose transport keeps the last datagram it was told to send. */
function openShard(seed: number) {
  const identity = createIdentity(nobleCurves, new Uint8Array(32).fill(seed));
  const sent = { bytes: new Uint8Array(2048), length: 0 };
  const hosts: TransportHost[] = [];
  const transport: Transport = {
    apiVersion: 1,
    scheme: 'gate',
    datagramBytesMax: 1452,
    open: async (host) => {
      hosts.push(host);
      return [{ family: 4, address: '10.0.0.1', port: seed }];
    },
    send: (_path, _endpoint, _at, bytes, offset, length) => {
      for (let i = 0; i < length; i++) sent.bytes[i] = bytes[offset + i] as number;
      sent.length = length;
    },
    stats: () => ({ datagramsIn: 0, datagramsOut: 0, bytesIn: 0, bytesOut: 0, sendErrors: 0 }),
    close: async () => {},
  };
  const rng = createSeededRng(seed);
  const shard = new Shard({
    identity,
    presharedKey: new Uint8Array(32),
    curves: nobleCurves,
    rng,
    clock,
    transport,
    store: createMemoryStore({ id: identity.id, rng }),
    client: false,
    peersMax: 64,
    tuning: { maintenance: false, peerUnitsPerSecond: 1_000_000_000, peerUnitsBurst: 1_000_000_000 },
    onEvent: () => {},
    onFail: (error) => {
      throw error;
    },
  });
  void shard.open();
  return { identity, sent, host: hosts[0] as TransportHost };
}

export const operations = [
  {
    name: 'path of a known IPv4 address',
    setup() {
      const paths = new PathTable(createSeededRng(1), 1000);
      for (let i = 0; i < 500; i++) paths.ofAddress('192.0.2.17', 1 + i);
      let port = 0;
      return () => {
        port = (port + 1) % 500;
        paths.ofAddress('192.0.2.17', 1 + port);
      };
    },
  },
  {
    name: 'a sealed FIND_NODE in, its sealed answer out',
    setup() {
      const { identity, sent, host } = openShard(7);
      const scratch = new Uint8Array(ENDPOINT_BYTES);
      const asker = createIdentity(nobleCurves, new Uint8Array(32).fill(9));
      const client = createWireguard({
        staticSecret: asker.transportSecret(),
        identityKey: asker.publicKey,
        curves: nobleCurves,
        rng: createSeededRng(9),
        wallMsAtZero: clock.wallMsAtZero,
        pathBytes: (_path, out, offset) => {
          out.set(scratch, offset);
          return ENDPOINT_BYTES;
        },
      });
      const path = host.path('10.0.0.2', 9);
      const out = createTransmit();
      const peer = client.open(0, identity.publicKey, 0, 1);
      if (peer === NONE) throw new Error('no peer');
      const request = () => {
        writeHeader(out.bytes, out.offset, MessageType.FIND_NODE, 0, 0, 77, 0);
        const body = writeFindNodeRequest(out.bytes, out.offset + 12, asker.id, 0, 20);
        return client.send(5, peer, out.bytes, out.offset, 12 + body, 0);
      };
      // The handshake: initiation to the shard, its response back, then data flows.
      request();
      while (client.pollTransmit(5, out)) host.receive(path, out.bytes, out.offset, out.length);
      client.handleDatagram(5, 1, sent.bytes, 0, sent.length);
      while (client.pollTransmit(5, out)) host.receive(path, out.bytes, out.offset, out.length);
      return () => {
        request();
        sent.length = 0;
        host.receive(path, out.bytes, client.sealedOffset, client.sealedLength);
        if (sent.length === 0) throw new Error('no answer');
      };
    },
  },
];
