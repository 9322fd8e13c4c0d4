/** Answers of the relay, each whole before it is sent. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { INVALID_SEQ_HEADER, PAYLOAD_TYPE, STORED_NODES_HEADER } from '../constants.ts';
import type { SignedPacket, TtlBounds } from '../signed-packet.ts';

/** What any page may do with the relay. */
const CORS = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Methods': 'GET, HEAD, PUT, OPTIONS',
  'Access-Control-Allow-Headers':
    'Content-Type, If-Match, If-Modified-Since, If-None-Match, If-Unmodified-Since, Cache-Control',
  'Access-Control-Expose-Headers': `${STORED_NODES_HEADER}, ${INVALID_SEQ_HEADER}, ETag, Last-Modified, Memento-Datetime, Retry-After`,
  'Access-Control-Max-Age': '86400',
};

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** A refusal: one line of text, and what the client needs beside it. */
export function refusal(status: number, text: string, headers: Readonly<Record<string, string>> = {}): Reply {
  return {
    status,
    headers: { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store', ...headers },
    body: `${text}\n`,
  };
}

/** Entity tag of a packet: its timestamp. */
export function tagOf(packet: SignedPacket): string {
  return `"${packet.timestamp}"`;
}

/** A packet, or that it is not newer than what the request's conditions name. */
export function packetReply(packet: SignedPacket, bounds: TtlBounds, request: IncomingMessage): Reply {
  const millis = Number(packet.timestamp / 1000n);
  const headers: Record<string, string> = {
    'Cache-Control': `public, max-age=${packet.expiresInSeconds(bounds)}`,
    ETag: tagOf(packet),
    'Memento-Datetime': new Date(packet.lastSeen).toUTCString(),
  };
  // Dates end in the year 275760.
  if (millis < 8.64e15) headers['Last-Modified'] = new Date(millis).toUTCString();
  if (isUnchanged(packet, request)) return { status: 304, headers };
  return {
    status: 200,
    headers: { ...headers, 'Content-Type': PAYLOAD_TYPE },
    body: packet.toRelayPayload(),
  };
}

/** RFC 9110 §13.2.2: a tag is asked for first, then the date, which counts against all microseconds of the timestamp. */
function isUnchanged(packet: SignedPacket, request: IncomingMessage): boolean {
  const tags = request.headers['if-none-match'];
  if (tags !== undefined)
    return tags
      .split(',')
      .some((tag) => /^\*$/.test(tag.trim()) || tag.trim().replace(/^W\//, '') === tagOf(packet));
  const since = Date.parse(request.headers['if-modified-since'] ?? '');
  return !Number.isNaN(since) && BigInt(since) * 1000n >= packet.timestamp;
}

export function send(
  response: ServerResponse,
  { status, headers = {}, body = '' }: Reply,
  isHead: boolean,
): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const isBare = status === 204 || status === 304;
  response.writeHead(status, {
    ...CORS,
    ...headers,
    'X-Content-Type-Options': 'nosniff',
    ...(isBare ? {} : { 'Content-Length': bytes.length }),
  });
  response.end(isBare || isHead ? undefined : bytes);
}
