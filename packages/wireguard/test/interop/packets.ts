/** Inner packets of the interop tests: minimal IPv4 with ICMP echo or UDP, as wireguard-go passes nothing else on. */

function sum(bytes: Uint8Array, start: number, end: number): number {
  let total = 0;
  for (let i = start; i < end; i += 2) total += ((bytes[i] as number) << 8) | (bytes[i + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return ~total & 0xffff;
}

function ipv4(source: string, target: string, protocol: number, payload: Uint8Array): Uint8Array {
  const packet = new Uint8Array(20 + payload.length);
  const view = new DataView(packet.buffer);
  packet[0] = 0x45;
  view.setUint16(2, packet.length);
  packet[8] = 64;
  packet[9] = protocol;
  packet.set(source.split('.').map(Number), 12);
  packet.set(target.split('.').map(Number), 16);
  view.setUint16(10, sum(packet, 0, 20));
  packet.set(payload, 20);
  return packet;
}

/** An ICMP echo request. */
export function ping(source: string, target: string, sequence: number, text: string): Uint8Array {
  const body = new TextEncoder().encode(text);
  const icmp = new Uint8Array(8 + body.length);
  const view = new DataView(icmp.buffer);
  icmp[0] = 8;
  view.setUint16(4, 7);
  view.setUint16(6, sequence);
  icmp.set(body, 8);
  view.setUint16(2, sum(icmp, 0, icmp.length));
  return ipv4(source, target, 1, icmp);
}

/** A UDP datagram (checksum 0: none, legal on IPv4). */
export function udp(
  source: string,
  sourcePort: number,
  target: string,
  targetPort: number,
  text: string,
): Uint8Array {
  const body = new TextEncoder().encode(text);
  const datagram = new Uint8Array(8 + body.length);
  const view = new DataView(datagram.buffer);
  view.setUint16(0, sourcePort);
  view.setUint16(2, targetPort);
  view.setUint16(4, datagram.length);
  datagram.set(body, 8);
  return ipv4(source, target, 17, datagram);
}

/** What an inner packet says: `echo-reply:…`, `echo:…`, `udp:…`, or `other`. */
export function describeInner(packet: Uint8Array): string {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  if (packet.length < 28 || packet[0] !== 0x45) return 'other';
  const body = new TextDecoder().decode(packet.slice(28, view.getUint16(2)));
  if (packet[9] === 1) return `${packet[20] === 0 ? 'echo-reply' : 'echo'}:${body}`;
  return packet[9] === 17 ? `udp:${body}` : 'other';
}

/** What a host would answer: echo replies, and UDP datagrams sent back with `re:` in front. */
export function answerInner(packet: Uint8Array): Uint8Array | undefined {
  if (packet.length < 28 || packet[0] !== 0x45) return undefined;
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const source = packet.slice(12, 16).join('.');
  const target = packet.slice(16, 20).join('.');
  const length = view.getUint16(2);
  if (packet[9] === 1 && packet[20] === 8) {
    const icmp = packet.slice(20, length);
    icmp[0] = 0;
    icmp[2] = 0;
    icmp[3] = 0;
    new DataView(icmp.buffer).setUint16(2, sum(icmp, 0, icmp.length));
    return ipv4(target, source, 1, icmp);
  }
  if (packet[9] !== 17) return undefined;
  const text = new TextDecoder().decode(packet.slice(28, length));
  if (text.startsWith('re:')) return undefined;
  return udp(target, view.getUint16(22), source, view.getUint16(20), `re:${text}`);
}
