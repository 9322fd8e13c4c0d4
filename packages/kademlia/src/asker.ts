/** Turns queued requests into bytes when the host polls: from the request's row and its operation, nothing kept. */
import { ID_BYTES, type Millis, NONE, type Transmit, TransmitFlag } from '@molia/core';
import {
  CONTACTS_MAX,
  HEADER_BYTES,
  MessageType,
  NO_STAMP,
  Qos,
  Want,
  writeAnnounceRequest,
  writeFetchChunkRequest,
  writeFindNodeRequest,
  writeFindValueRequest,
  writeHeader,
  writeStoreRequest,
} from '@molia/wire';
import { writeNegotiation } from './answers.ts';
import type { Lookup } from './lookup.ts';
import { type Operation, type Operations, OpKind, OWN_NEIGHBOURS, Phase } from './operation.ts';
import type { Publisher } from './publisher.ts';
import { ChunkRequest } from './records/puller.ts';
import { Count, type Shared } from './shared.ts';

/** Correlations of chunk requests have the top bit, which no request row sets. */
export const CHUNK_CORRELATION = 0x8000_0000;

/** Told of requests that cannot be sent. */
export interface Unsendable {
  unsendable(now: Millis, request: number): void;
}

export class Asker {
  private readonly shared: Shared;
  private readonly operations: Operations;
  private readonly publisher: Publisher;
  private readonly unsendable: Unsendable;
  private readonly chunk = new ChunkRequest();
  private readonly target = new Uint8Array(ID_BYTES);

  constructor(shared: Shared, operations: Operations, publisher: Publisher, unsendable: Unsendable) {
    this.shared = shared;
    this.operations = operations;
    this.publisher = publisher;
    this.unsendable = unsendable;
  }

  /** Writes the next request. `false` = none waits. */
  poll(now: Millis, out: Transmit): boolean {
    const { requests } = this.shared;
    if (this.pollChunk(now, out)) return true;
    for (let row = requests.nextQueued(); row !== NONE; row = requests.nextQueued()) {
      const handle = requests.ops[row] as number;
      const op = handle === NONE ? undefined : this.operations.get(handle);
      if (handle !== NONE && (op === undefined || op.phase === Phase.ENDED)) {
        this.shared.settle(row);
        continue;
      }
      if (this.write(now, row, op, out)) return true;
    }
    return false;
  }

  private write(now: Millis, row: number, op: Operation | undefined, out: Transmit): boolean {
    const { shared } = this;
    const { requests, roundTrips } = shared;
    const contact = requests.contacts[row] as number;
    const type = requests.types[row] as number;
    const peer = shared.peerOf(now, contact);
    if (peer === NONE) {
      this.unsendable.unsendable(now, row);
      return false;
    }
    const body = out.offset + HEADER_BYTES;
    const length = this.writeBody(type, row, contact, op, out.bytes, body);
    writeHeader(out.bytes, out.offset, type, 0, Qos.CONTROL, requests.correlation(row), 0);
    out.to = peer;
    out.length = HEADER_BYTES + length;
    out.flags = flagsOf(type);
    requests.sent(now, row, peer, roundTrips.lateMs(contact), roundTrips.deadMs(contact));
    shared.count(Count.REQUESTS_SENT);
    return true;
  }

  private writeBody(
    type: number,
    row: number,
    contact: number,
    op: Operation | undefined,
    bytes: Uint8Array,
    body: number,
  ): number {
    if (op === undefined || type === MessageType.PING) {
      return type === MessageType.NEGOTIATE ? writeNegotiation(this.shared, bytes, body) : 0;
    }
    switch (type) {
      case MessageType.FIND_NODE:
        if (this.shared.requests.extras[row] === OWN_NEIGHBOURS) {
          this.shared.contacts.writeId(contact, this.target, 0);
          return writeFindNodeRequest(bytes, body, this.target, 0, 0);
        }
        return writeFindNodeRequest(bytes, body, op.lookup.target, 0, namesWanted(op.lookup));
      case MessageType.FIND_VALUE: {
        const want = op.kind === OpKind.FIND_PROVIDERS ? Want.PROVIDERS : Want.VALUE;
        const skip = this.shared.requests.extras[row] as number;
        return writeFindValueRequest(bytes, body, op.lookup.target, 0, want, op.sequenceMin, skip);
      }
      case MessageType.ANNOUNCE_PROVIDER:
        return writeAnnounceRequest(bytes, body, op.record, op.view, NO_STAMP);
      default: {
        const cas = this.publisher.withoutCas(op, contact) ? -1 : op.cas;
        const { record, view, form, hash, ageSecs, single } = op;
        return writeStoreRequest(bytes, body, record, view, form, hash, 0, cas, NO_STAMP, ageSecs, single);
      }
    }
  }

  private pollChunk(now: Millis, out: Transmit): boolean {
    const { chunk } = this;
    if (!this.shared.puller.pollRequest(now, chunk)) return false;
    const body = out.offset + HEADER_BYTES;
    const length = writeFetchChunkRequest(
      out.bytes,
      body,
      chunk.hash,
      chunk.hashOffset,
      chunk.offset,
      chunk.length,
    );
    const correlation = CHUNK_CORRELATION + chunk.offset;
    writeHeader(out.bytes, out.offset, MessageType.FETCH_CHUNK, 0, Qos.CONTROL, correlation, chunk.pull);
    out.to = chunk.peer;
    out.length = HEADER_BYTES + length;
    out.flags = 0;
    return true;
  }
}

/** Contacts that an answer shall name; 0 = as many as it holds. */
function namesWanted(lookup: Lookup): number {
  return lookup.width < CONTACTS_MAX / 2 ? lookup.width * 2 : 0;
}

/** Idempotent requests may travel as early data; the find family expects a full datagram back. */
function flagsOf(type: number): number {
  switch (type) {
    case MessageType.FIND_NODE:
    case MessageType.FIND_VALUE:
    case MessageType.NEGOTIATE:
      return TransmitFlag.EARLY | TransmitFlag.LARGE_ANSWER;
    case MessageType.PING:
      return TransmitFlag.EARLY;
    default:
      return 0;
  }
}
