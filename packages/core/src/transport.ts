/**
 * The transport contract: what carries datagrams between hosts (UDP, framed TCP, a data channel, a relay).
 * A third-party transport needs only this package. The host mints path handles and hands them to its engines.
 */

/** Bytes of an endpoint in its fixed binary form: family (4 or 6), 16 address bytes (IPv4 in the first 4, rest zero), port (big endian). */
export const ENDPOINT_BYTES = 19;

/** What a transport reports to its host. Callbacks are synchronous; `bytes` is borrowed until the callback returns. */
export interface TransportHost {
  /** Interns a remote endpoint and returns its path handle, stable while in use. `address` is textual, without zone. */
  path(address: string, port: number): number;
  /** The same for an endpoint in its binary form, `ENDPOINT_BYTES` at `offset`: nothing is allocated. */
  endpointPath(endpoint: Uint8Array, offset: number): number;
  /** A datagram arrived. */
  receive(path: number, bytes: Uint8Array, offset: number, length: number): void;
  /** The transport can no longer work (its `close` is called next). */
  fail(error: Error): void;
}

/** A bound local address. */
export interface BoundAddress {
  readonly family: 4 | 6;
  readonly address: string;
  readonly port: number;
}

export interface Transport {
  readonly apiVersion: 1;
  /** `udp`, `tcp`, … */
  readonly scheme: string;
  /** Which of several implementations carries, when there are several: `native`, `dgram`. */
  readonly driver?: string;
  /** Largest datagram the transport carries, in bytes. */
  readonly datagramBytesMax: number;
  /** Starts to carry. Rejects when the address cannot be bound. */
  open(host: TransportHost): Promise<readonly BoundAddress[]>;
  /**
   * Sends one datagram to the endpoint of `path`; the bytes are copied or sent before it returns. It may
   * leave at the end of the current turn of the event loop, with others.
   * Never throws; losses count in `stats`.
   */
  send(
    path: number,
    endpoint: Uint8Array,
    endpointOffset: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void;
  stats(): TransportStats;
  /** Idempotent; resolves when the address is free again. */
  close(): Promise<void>;
}

export interface TransportStats {
  readonly datagramsIn: number;
  readonly datagramsOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly sendErrors: number;
  /** What else this transport counts: system calls, drops by reason. */
  readonly detail?: Readonly<Record<string, number>>;
}
