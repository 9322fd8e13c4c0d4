/**
 * The npm package pkarr as a process: `node run.mjs VERB ARGUMENTS`, one JSON line as the result. Its dependencies are installed
 * by this folder's own lock file.
 */

import { dns, generateKeyPair, Pkarr, SignedPacket, z32 } from 'pkarr';
import { DHT } from 'pkarr/lib/dht.js';

const [verb, where, what] = process.argv.slice(2);
const hex = (bytes) => Buffer.from(bytes).toString('hex');
/** A packet of a seed with one record of each kind that dns-packet knows. */
function packetOf(seed) {
  const keypair = generateKeyPair(Buffer.from(seed, 'hex'));
  return SignedPacket.fromPacket(keypair, {
    id: 0,
    type: 'response',
    flags: 0,
    answers: [
      { name: '_t', type: 'TXT', ttl: 60, class: 'IN', data: 'from npm' },
      { name: '@', type: 'A', ttl: 60, class: 'IN', data: '192.0.2.7' },
      { name: 'mail', type: 'MX', ttl: 60, class: 'IN', data: { preference: 1, exchange: 'mx.example' } },
    ],
  });
}
const shown = (packet) => ({
  key: z32.encode(packet.publicKey()),
  timestamp: String(packet.timestamp()),
  payload: hex(packet.bytes()),
  answers: dns.decode(Buffer.from(packet.bytes()).subarray(72)).answers.map(({ name, type, ttl, data }) => ({
    name,
    type,
    ttl,
    data: Array.isArray(data) ? data.map(String).join('') : data,
  })),
});
function openDht() {
  const [host, port] = where.split(':');
  // Nothing is kept in the home directory.
  const storage = { loadRoutingTable() {}, saveRoutingTable() {} };
  return new DHT({ bootstrap: [{ host, port: Number(port) }], storage });
}

const verbs = {
  async 'relay-put'() {
    const packet = packetOf(what);
    const response = await Pkarr.relayPut(where, packet);
    return { status: response.status, ...shown(packet) };
  },
  async 'relay-get'() {
    return shown(await Pkarr.relayGet(where, z32.decode(what)));
  },
  async 'dht-put'() {
    const packet = packetOf(what);
    await openDht().put(packet.bep44Args());
    return shown(packet);
  },
  async 'dht-get'() {
    const found = await openDht().get(z32.decode(what), { fullLookup: true });
    return found === null ? null : shown(SignedPacket.fromBep44Args(found));
  },
};
console.log(JSON.stringify(await verbs[verb]()));
process.exit(0);
