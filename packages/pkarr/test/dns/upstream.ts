/** A name server of another make (npm dns-packet over Node's sockets): what the server under test forwards to. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import * as codec from 'dns-packet';
import { type ReplyOptions, read, replyTo } from './lab.ts';

export interface Upstream {
  /** `address:port`. */
  readonly address: string;
  /** Names asked for, in order, and the ports and carriers they were asked from. */
  readonly asked: { readonly name: string; readonly port: number; readonly overTcp: boolean }[];
  close(): Promise<void>;
}

/** `answer`: what to say to a name; `undefined` = nothing at all. */
export async function startUpstream(
  answer: (name: string, overTcp: boolean) => ReplyOptions | undefined,
): Promise<Upstream> {
  const asked: Upstream['asked'] = [];
  const respond = (bytes: Uint8Array, port: number, overTcp: boolean): Uint8Array | undefined => {
    const name = read(bytes).questions?.[0]?.name as string;
    asked.push({ name, port, overTcp });
    const options = answer(name, overTcp);
    return options === undefined ? undefined : replyTo(bytes, options);
  };
  const sockets = new Set<Socket>();
  const tcp = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    let held = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      held = Buffer.concat([held, chunk]);
      if (held.length < 2 || held.length < 2 + held.readUInt16BE(0)) return;
      const reply = respond(codec.streamDecode(held) && held.subarray(2), socket.remotePort ?? 0, true);
      if (reply !== undefined)
        socket.end(Buffer.concat([Buffer.from([reply.length >> 8, reply.length & 255]), reply]));
    });
  });
  tcp.listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  const { port } = tcp.address() as AddressInfo;
  const udp = createSocket('udp4');
  udp.on('message', (bytes, from) => {
    const reply = respond(bytes, from.port, false);
    if (reply !== undefined) udp.send(reply, from.port, from.address);
  });
  udp.bind(port, '127.0.0.1');
  await once(udp, 'listening');
  return {
    address: `127.0.0.1:${port}`,
    asked,
    async close() {
      for (const socket of sockets) socket.destroy();
      tcp.close();
      udp.close();
      await Promise.all([once(tcp, 'close'), once(udp, 'close')]);
    },
  };
}
