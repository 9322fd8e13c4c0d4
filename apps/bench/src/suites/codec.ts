/**
 * Encoding and decoding the two messages of every lookup step: Molia's codecs by offset against protobufjs over the
 * same .proto files (the same bytes), and bencode, which KRPC uses, over the same contents.
 */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  AnswerWriter,
  ContactList,
  FindNodeRequestView,
  readFindNodeRequest,
  readFindNodeResponse,
  writeFindNodeRequest,
} from '@molia/wire';
import { nanoseconds } from '../microbench.ts';
import { peerModule } from '../peer-modules.ts';
import type { Report } from '../report.ts';
import { repositoryRoot } from '../repository.ts';

const CONTACTS = 16;

interface ProtobufType {
  encode(message: unknown): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
  fromObject(object: unknown): unknown;
}
interface Protobufjs {
  Root: new () => {
    resolvePath(origin: string, target: string): string;
    load(file: string): Promise<{ lookupType(name: string): ProtobufType }>;
  };
}
interface Bencode {
  encode(value: unknown): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}

export async function codec(report: Report): Promise<void> {
  report.progress('codec');
  const target = new Uint8Array(randomBytes(32));
  const contacts = Array.from({ length: CONTACTS }, (_, i) => ({
    key: new Uint8Array(randomBytes(32)),
    compact: Uint8Array.of(127, 0, 0, 1, 0x12, i),
    endpoint: Uint8Array.of(4, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, i),
  }));
  const buffer = new Uint8Array(1500);
  const writer = new AnswerWriter();
  const list = new ContactList();
  const view = new FindNodeRequestView();

  const writeRequest = (): number => writeFindNodeRequest(buffer, 0, target, 0, 20);
  const writeResponse = (): number => {
    writer.beginFindNode(buffer, 0);
    for (const { key, endpoint } of contacts) writer.addContact(key, 0, endpoint, 0);
    return writer.end();
  };
  const request = buffer.slice(0, writeRequest());
  const response = buffer.slice(0, writeResponse());
  const molia = {
    'encode request ns': nanoseconds(writeRequest),
    'decode request ns': nanoseconds(() => readFindNodeRequest(request, 0, request.length, view)),
    'encode 16 contacts ns': nanoseconds(writeResponse),
    'decode 16 contacts ns': nanoseconds(() => readFindNodeResponse(response, 0, response.length, list)),
  };

  const { Root } = (await peerModule('protobufjs')) as Protobufjs;
  const root = new Root();
  root.resolvePath = (_origin, file) => (file.startsWith('/') ? file : join(repositoryRoot, 'proto', file));
  const loaded = await root.load('molia/v1/messages.proto');
  const Request = loaded.lookupType('molia.v1.FindNodeRequest');
  const Response = loaded.lookupType('molia.v1.FindNodeResponse');
  const requestObject = Request.fromObject({ target, limit: 20 });
  const responseObject = Response.fromObject({
    contacts: contacts.map((c) => ({ publicKey: c.key, endpoint: c.compact })),
  });
  const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;
  if (
    !same(Request.encode(requestObject).finish(), request) ||
    !same(Response.encode(responseObject).finish(), response)
  )
    throw new Error('protobufjs and Molia disagree on the bytes');
  const protobufjs = {
    'encode request ns': nanoseconds(() => Request.encode(requestObject).finish()),
    'decode request ns': nanoseconds(() => Request.decode(request)),
    'encode 16 contacts ns': nanoseconds(() => Response.encode(responseObject).finish()),
    'decode 16 contacts ns': nanoseconds(() => Response.decode(response)),
  };

  const bencode = (await peerModule('bencode')) as Bencode;
  const krpcRequest = {
    t: Buffer.alloc(2),
    y: 'q',
    q: 'find_node',
    a: { id: target.subarray(0, 20), target: target.subarray(0, 20) },
  };
  const krpcResponse = {
    t: Buffer.alloc(2),
    y: 'r',
    r: { id: target.subarray(0, 20), nodes: randomBytes(26 * CONTACTS) },
  };
  const krpcRequestBytes = bencode.encode(krpcRequest);
  const krpcResponseBytes = bencode.encode(krpcResponse);
  const krpc = {
    'encode request ns': nanoseconds(() => bencode.encode(krpcRequest)),
    'decode request ns': nanoseconds(() => bencode.decode(krpcRequestBytes)),
    'encode 16 contacts ns': nanoseconds(() => bencode.encode(krpcResponse)),
    'decode 16 contacts ns': nanoseconds(() => bencode.decode(krpcResponseBytes)),
  };
  report.table('codec: FIND_NODE request and answer, nanoseconds an operation', [
    { name: '@molia/wire', values: molia },
    { name: 'protobufjs', values: protobufjs },
    { name: 'bencode (KRPC)', values: krpc },
  ]);
}
