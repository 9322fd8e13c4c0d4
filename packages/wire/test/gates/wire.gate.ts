/** What runs for each packet: none of it may allocate. */
import { createSeededRng, parseEndpoint } from '@molia/core';
import type { GateOperation } from '../../../../tools/gate.ts';
import * as wire from '../../src/index.ts';

/** Keeps results alive, so that no loop is optimised away. */
const sink = new Int32Array(1);
const NONE = new Uint8Array(0);
const keys = new Uint8Array(32 * 64);
createSeededRng(1).fill(keys, 0, keys.length);
const ipv4 = parseEndpoint('192.0.2.1:4000');

/** A mutable record with any signature: the codecs do not verify. */
function record(): { source: Uint8Array; view: wire.RecordView } {
  const source = wire.createMutable({
    identity: { publicKey: keys.subarray(0, 32), signInto: () => {} } as never,
    namespace: 'gate',
    salt: 'x',
    sequence: 2 ** 40,
    value: new Uint8Array(300),
    ttlSecs: 86_400,
    notBeforeUnix: 2 ** 33,
  });
  const view = new wire.RecordView();
  if (wire.readRecord(source, 0, source.length, view) < 0) throw new Error('no record');
  return { source, view };
}

function provider(): { source: Uint8Array; view: wire.RecordView } {
  const source = wire.createProvider({
    identity: { publicKey: keys.subarray(0, 32), signInto: () => {} } as never,
    key: keys.subarray(32, 64),
    endpoints: [ipv4],
    sequence: 2 ** 40,
    ttlSecs: 86_400,
  });
  const view = new wire.RecordView();
  if (wire.readRecord(source, 0, source.length, view) < 0) throw new Error('no record');
  return { source, view };
}

export const operations: GateOperation[] = [
  {
    name: 'header: write, read',
    setup: () => {
      const bytes = new Uint8Array(12);
      const header = new wire.Header();
      const correlation = new Uint32Array(1);
      return () => {
        correlation[0] = (correlation[0] as number) + 0x1234_5679;
        const bits = (correlation[0] as number) | 0;
        wire.writeHeader(bytes, 0, wire.MessageType.FIND_NODE, 0, 0, bits, bits);
        sink[0] = wire.readHeader(bytes, 0, 12, header) + header.correlation;
      };
    },
  },
  {
    name: 'PING, PONG: write, read',
    setup: () => {
      const bytes = new Uint8Array(200);
      const ping = new wire.PingView();
      const pong = new wire.PongView();
      return () => {
        sink[0] = wire.readPing(bytes, 0, wire.writePing(bytes, 0, keys, 0, 32), ping);
        sink[0] = wire.readPong(bytes, 0, wire.writePong(bytes, 0, keys, 0, 32, ipv4, 0), pong);
      };
    },
  },
  {
    name: 'FIND_NODE: write, read',
    setup: () => {
      const bytes = new Uint8Array(200);
      const view = new wire.FindNodeRequestView();
      return () => {
        const length = wire.writeFindNodeRequest(bytes, 3, keys, 64, 20);
        sink[0] = wire.readFindNodeRequest(bytes, 3, length, view);
      };
    },
  },
  {
    name: 'FIND_NODE_RESPONSE of 20 contacts: write, read',
    setup: () => {
      const bytes = new Uint8Array(1300);
      const answers = new wire.AnswerWriter();
      const list = new wire.ContactList();
      return () => {
        answers.beginFindNode(bytes, 12);
        for (let i = 0; i < 20; i++) answers.addContact(keys, i * 32, ipv4, 0);
        sink[0] = wire.readFindNodeResponse(bytes, 12, answers.end(), list);
      };
    },
  },
  {
    name: 'FIND_VALUE with a sequence over 2^32: write, read',
    setup: () => {
      const bytes = new Uint8Array(200);
      const view = new wire.FindValueRequestView();
      // A constant: a double made anew may be boxed on its way into the call, at the caller's expense.
      const sequence = 2 ** 40;
      return () => {
        const length = wire.writeFindValueRequest(bytes, 0, keys, 0, wire.Want.VALUE, sequence, 3);
        sink[0] = wire.readFindValueRequest(bytes, 0, length, view);
      };
    },
  },
  {
    name: 'FIND_VALUE_RESPONSE with a record and 8 contacts: write, read',
    setup: () => {
      const bytes = new Uint8Array(1300);
      const answers = new wire.AnswerWriter();
      const view = new wire.FindValueResponseView();
      const held = record();
      return () => {
        answers.beginFindValue(bytes, 12);
        answers.addRecord(held.source, held.view, wire.RecordForm.WHOLE, NONE, 0);
        for (let i = 0; i < 8; i++) answers.addContact(keys, i * 32, ipv4, 0);
        sink[0] = wire.readFindValueResponse(bytes, 12, answers.end(), view);
      };
    },
  },
  {
    name: 'FIND_VALUE_RESPONSE with providers: write, read',
    setup: () => {
      const bytes = new Uint8Array(1300);
      const answers = new wire.AnswerWriter();
      const view = new wire.FindValueResponseView();
      const held = provider();
      return () => {
        answers.beginFindValue(bytes, 12);
        while (answers.addProvider(held.source, held.view)) sink[0] = 1;
        sink[0] = wire.readFindValueResponse(bytes, 12, answers.end(1000), view);
      };
    },
  },
  {
    name: 'STORE, whole and detached: write, read',
    setup: () => {
      const bytes = new Uint8Array(1300);
      const view = new wire.StoreRequestView();
      const { source, view: held } = record();
      const { WHOLE, DETACHED } = wire.RecordForm;
      return () => {
        let length = wire.writeStoreRequest(
          bytes,
          0,
          source,
          held,
          WHOLE,
          NONE,
          0,
          2 ** 40,
          wire.NO_STAMP,
          0,
          false,
        );
        sink[0] = wire.readStoreRequest(bytes, 0, length, view);
        length = wire.writeStoreRequest(
          bytes,
          0,
          source,
          held,
          DETACHED,
          keys,
          0,
          -1,
          wire.NO_STAMP,
          2 ** 32 - 1,
          true,
        );
        sink[0] = wire.readStoreRequest(bytes, 0, length, view);
      };
    },
  },
  {
    name: 'ANNOUNCE_PROVIDER, STORE_RESPONSE: write, read',
    setup: () => {
      const bytes = new Uint8Array(1300);
      const view = new wire.StoreRequestView();
      const response = new wire.StoreResponseView();
      const { source, view: held } = provider();
      return () => {
        const length = wire.writeAnnounceRequest(bytes, 0, source, held, wire.NO_STAMP);
        sink[0] = wire.readAnnounceRequest(bytes, 0, length, view);
        const answer = wire.writeStoreResponse(bytes, 0, wire.StoreStatus.STALE, 2 ** 41);
        sink[0] = wire.readStoreResponse(bytes, 0, answer, response);
      };
    },
  },
  {
    name: 'FETCH_CHUNK and its answer of 1120 bytes: write, read',
    setup: () => {
      const bytes = new Uint8Array(1300);
      const data = new Uint8Array(4096);
      const request = new wire.FetchChunkRequestView();
      const response = new wire.FetchChunkResponseView();
      return () => {
        let length = wire.writeFetchChunkRequest(bytes, 0, keys, 0, 2240, 1120);
        sink[0] = wire.readFetchChunkRequest(bytes, 0, length, request);
        length = wire.writeFetchChunkResponse(bytes, 0, 2240, data, 2240, 1120, 4096);
        sink[0] = wire.readFetchChunkResponse(bytes, 0, length, response);
      };
    },
  },
  {
    name: 'ERROR: write, read; a refused message',
    setup: () => {
      const bytes = new Uint8Array(200);
      const view = new wire.ErrorView();
      const reason = new TextEncoder().encode('try again, plus tard');
      return () => {
        const length = wire.writeError(
          bytes,
          0,
          wire.ErrorCode.RATE_LIMITED,
          2 ** 32 - 1,
          reason,
          0,
          reason.length,
        );
        sink[0] = wire.readError(bytes, 0, length, view) + wire.readError(bytes, 0, length - 1, view);
      };
    },
  },
];
