/** Clients over TCP (RFC 7766): many questions on one connection, answers as they come, and an end to those who dawdle. */
import { createServer, type Server, type Socket } from 'node:net';
import { FrameReader, frame } from './frames.ts';

/** A query longer than this is none. */
const QUERY_BYTES_MAX = 4_096;
/** Answers that a client does not fetch before its connection is closed. */
const UNSENT_BYTES_MAX = 1_048_576;

export interface TcpOptions {
  readonly tcpConnectionsMax: number;
  readonly tcpConnectionsPerAddressMax: number;
  readonly tcpPipelinedMax: number;
  readonly tcpIdleMs: number;
}

interface Connection {
  readonly socket: Socket;
  readonly address: string;
  readonly idle: NodeJS.Timeout;
  pending: number;
  hasEnded: boolean;
}

export class TcpClients {
  readonly server: Server;
  private readonly options: TcpOptions;
  private readonly onQuery: (client: number, address: string, port: number, bytes: Uint8Array) => boolean;
  private readonly connections = new Map<number, Connection>();
  private readonly perAddress = new Map<string, number>();
  private nextClient = 1;
  private stopped: Promise<void> | undefined;

  /** `onQuery`: `false` = that was no query, and the connection ends. */
  constructor(
    options: TcpOptions,
    onQuery: (client: number, address: string, port: number, bytes: Uint8Array) => boolean,
  ) {
    this.options = options;
    this.onQuery = onQuery;
    // Half open: who has said all may still hear the answers.
    this.server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.accept(socket));
    this.server.maxConnections = options.tcpConnectionsMax;
  }

  get count(): number {
    return this.connections.size;
  }

  answer(client: number, bytes: Uint8Array): void {
    const connection = this.connections.get(client);
    if (connection === undefined) return;
    const { socket } = connection;
    connection.pending--;
    connection.idle.refresh();
    socket.write(frame(bytes));
    if (socket.writableLength > UNSENT_BYTES_MAX) socket.destroy();
    else if (connection.pending === 0 && (connection.hasEnded || this.stopped !== undefined)) socket.end();
    else if (connection.pending < this.options.tcpPipelinedMax && this.stopped === undefined) socket.resume();
  }

  /** Takes no more connections and no more questions. */
  stop(): Promise<void> {
    if (this.stopped !== undefined) return this.stopped;
    this.stopped = new Promise((resolve) => this.server.close(() => resolve()));
    for (const { socket, pending } of this.connections.values()) {
      socket.pause();
      if (pending === 0) socket.destroy();
    }
    return this.stopped;
  }

  /** Ends every connection; resolves when the port is free. */
  close(): Promise<void> {
    const stopped = this.stop();
    for (const { socket } of this.connections.values()) socket.destroy();
    return stopped;
  }

  private accept(socket: Socket): void {
    const { remoteAddress: address, remotePort: port } = socket;
    socket.on('error', () => socket.destroy());
    const others = this.perAddress.get(address ?? '') ?? 0;
    if (
      address === undefined ||
      port === undefined ||
      this.stopped !== undefined ||
      others >= this.options.tcpConnectionsPerAddressMax
    ) {
      socket.destroy();
      return;
    }
    this.perAddress.set(address, others + 1);
    const client = this.nextClient++;
    const connection: Connection = {
      socket,
      address,
      // Only whole questions and answers prolong it: trickling bytes does not.
      idle: setTimeout(() => socket.destroy(), this.options.tcpIdleMs),
      pending: 0,
      hasEnded: false,
    };
    this.connections.set(client, connection);
    const reader = new FrameReader((bytes) => {
      connection.idle.refresh();
      connection.pending++;
      if (connection.pending >= this.options.tcpPipelinedMax) socket.pause();
      if (!this.onQuery(client, address, port, bytes)) socket.destroy();
    }, QUERY_BYTES_MAX);
    socket.on('data', (chunk) => {
      if (!reader.push(chunk)) socket.destroy();
    });
    socket.on('end', () => {
      connection.hasEnded = true;
      if (connection.pending === 0) socket.end();
    });
    socket.on('close', () => {
      clearTimeout(connection.idle);
      this.connections.delete(client);
      const left = (this.perAddress.get(address) ?? 1) - 1;
      if (left > 0) this.perAddress.set(address, left);
      else this.perAddress.delete(address);
    });
  }
}
