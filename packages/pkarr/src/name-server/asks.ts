/** Questions to other servers: each UDP one from a socket and a random port of its own, which takes answers of that server only. */
import { createSocket, type Socket } from 'node:dgram';
import { connect, type Socket as TcpSocket } from 'node:net';
import { endpointAddress, endpointPort } from '@molia/core';
import { FrameReader, frame } from './frames.ts';

export interface AskEvents {
  onReply(flight: number, bytes: Uint8Array): void;
  onUnreachable(flight: number): void;
}

interface Ask {
  close(): void;
}

export class Asks {
  private readonly events: AskEvents;
  private readonly running = new Map<number, Ask>();

  constructor(events: AskEvents) {
    this.events = events;
  }

  /** Asks; what the flight asked before is over. */
  ask(flight: number, endpoint: Uint8Array, overTcp: boolean, bytes: Uint8Array): void {
    this.release(flight);
    const address = endpointAddress(endpoint);
    const port = endpointPort(endpoint);
    const ask = overTcp
      ? this.overTcp(flight, address, port, bytes)
      : this.overUdp(flight, address, port, bytes);
    this.running.set(flight, ask);
  }

  release(flight: number): void {
    const ask = this.running.get(flight);
    this.running.delete(flight);
    ask?.close();
  }

  close(): void {
    for (const flight of [...this.running.keys()]) this.release(flight);
  }

  private overUdp(flight: number, address: string, port: number, bytes: Uint8Array): Ask {
    const family = address.includes(':') ? 6 : 4;
    const socket: Socket = createSocket({
      type: family === 6 ? 'udp6' : 'udp4',
      // It is an address already; the default would ask the system's resolver, which may be us.
      lookup: (host, _options, done) => done(null, host, family),
    });
    let isOpen = true;
    const ask: Ask = {
      close() {
        if (!isOpen) return;
        isOpen = false;
        socket.close();
      },
    };
    const isCurrent = (): boolean => this.running.get(flight) === ask;
    socket.on('message', (reply) => {
      if (isCurrent()) this.events.onReply(flight, reply);
    });
    socket.on('error', () => {
      if (!isCurrent()) return;
      this.release(flight);
      this.events.onUnreachable(flight);
    });
    // Connected: the kernel drops what other addresses and ports send.
    socket.connect(port, address, () => {
      if (isOpen) socket.send(bytes);
    });
    return ask;
  }

  private overTcp(flight: number, address: string, port: number, bytes: Uint8Array): Ask {
    const socket: TcpSocket = connect({ host: address, port, noDelay: true });
    const ask: Ask = { close: () => socket.destroy() };
    const isCurrent = (): boolean => this.running.get(flight) === ask;
    const reader = new FrameReader((message) => {
      if (isCurrent()) this.events.onReply(flight, message);
    });
    socket.on('data', (chunk) => reader.push(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (!isCurrent()) return;
      this.release(flight);
      this.events.onUnreachable(flight);
    });
    socket.write(frame(bytes));
    return ask;
  }
}
