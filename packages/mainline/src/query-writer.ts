/** Queries as we send them, keys in order. */
import { CLIENT_VERSION, NODE_ID_BYTES, TOKEN_BYTES_MAX } from './constants.ts';
import { BencodeWriter } from './krpc-write.ts';
import type { Lookup } from './lookup.ts';
import { type Operation, OpKind } from './operations.ts';
import type { Datagram } from './outbox.ts';

export const Purpose = { LOOKUP: 1, SEED: 2, PING: 3, WRITE: 4, PROBE: 5, DIRECT_WRITE: 6 } as const;

const tidBytes = new Uint8Array(4);
const writer = new BencodeWriter();

function head(out: Datagram, id: Uint8Array): BencodeWriter {
  writer.start(out.bytes, 0);
  writer.raw('d1:ad2:id20:');
  writer.copy(id, 0, NODE_ID_BYTES);
  return writer;
}

function tail(out: Datagram, method: string, tid: number, readOnly: boolean): void {
  const w = writer;
  w.raw('e1:q');
  w.decimal(method.length);
  w.raw(':');
  w.raw(method);
  // A client says so in every query (BEP 43).
  if (readOnly) w.raw('2:roi1e');
  w.raw('1:t');
  for (let i = 0; i < 4; i++) tidBytes[i] = tid >>> (24 - i * 8);
  w.string(tidBytes, 0, 4);
  w.raw('1:v');
  w.string(CLIENT_VERSION, 0, CLIENT_VERSION.length);
  w.raw('1:y1:qe');
  out.length = w.overflow ? 0 : w.at;
}

export function writePing(out: Datagram, id: Uint8Array, tid: number, readOnly: boolean): void {
  head(out, id);
  tail(out, 'ping', tid, readOnly);
}

/** The query of an operation's lookup. */
export function writeLookup(
  out: Datagram,
  id: Uint8Array,
  tid: number,
  readOnly: boolean,
  operation: Operation,
  lookup: Lookup,
): void {
  const w = head(out, id);
  const { kind } = operation;
  if (kind === OpKind.GET_PEERS || kind === OpKind.ANNOUNCE) {
    w.raw('9:info_hash20:');
    w.copy(lookup.target, 0, NODE_ID_BYTES);
    tail(out, 'get_peers', tid, readOnly);
    return;
  }
  if (kind === OpKind.GET_MUTABLE && operation.newerThan !== undefined) {
    w.raw('3:seq');
    w.wide(Number(operation.newerThan >> 32n), Number(operation.newerThan & 0xffffffffn));
  }
  w.raw('6:target20:');
  w.copy(lookup.target, 0, NODE_ID_BYTES);
  const finds = kind === OpKind.FIND_NODE || kind === OpKind.UPKEEP;
  tail(out, finds ? 'find_node' : 'get', tid, readOnly);
}

/** The put or announcement for one holder, whose token the lookup has. */
export function writePut(
  out: Datagram,
  id: Uint8Array,
  tid: number,
  readOnly: boolean,
  operation: Operation,
  lookup: Lookup,
  c: number,
): void {
  const w = writer;
  w.start(out.bytes, 0);
  w.raw('d1:ad');
  const { item } = operation;
  // `cas` should not go to a node that has no value (BEP 44).
  if (operation.cas !== undefined && lookup.hasValue[c] === 1) {
    w.raw('3:cas');
    w.wide(Number(operation.cas >> 32n), Number(operation.cas & 0xffffffffn));
  }
  w.raw('2:id20:');
  w.copy(id, 0, NODE_ID_BYTES);
  const announce = operation.kind === OpKind.ANNOUNCE;
  if (announce) {
    w.raw(operation.port === 0 ? '12:implied_porti1e' : '12:implied_porti0e');
    w.raw('9:info_hash20:');
    w.copy(lookup.target, 0, NODE_ID_BYTES);
    w.raw('4:port');
    w.integer(operation.port);
  } else if (item !== undefined && item.key.length > 0) {
    w.raw('1:k');
    w.string(item.key, 0, item.key.length);
    if (item.salt.length > 0) {
      w.raw('4:salt');
      w.string(item.salt, 0, item.salt.length);
    }
    w.raw('3:seq');
    w.wide(Number(item.seq >> 32n), Number(item.seq & 0xffffffffn));
    w.raw('3:sig');
    w.string(item.signature, 0, item.signature.length);
  }
  if (!announce) {
    // Nodes of pubky/mainline refuse a put without it; BEP 44 nodes ignore it.
    w.raw('6:target20:');
    w.copy(lookup.target, 0, NODE_ID_BYTES);
  }
  w.raw('5:token');
  w.string(lookup.tokens, c * TOKEN_BYTES_MAX, lookup.tokenLengths[c] as number);
  if (!announce && item !== undefined) {
    w.raw('1:v');
    w.copy(item.value, 0, item.value.length);
  }
  tail(out, announce ? 'announce_peer' : 'put', tid, readOnly);
}
