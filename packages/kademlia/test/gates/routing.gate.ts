/** Hot paths of the engine, in steady state: no byte per operation. Figures come with the report of `npm run gates`. */
import { createSeededRng, createTransmit, HEADROOM, NONE } from '@molia/core';
import { createKademliaEvent, EventKind } from '@molia/kademlia';
import { HEADER_BYTES, MessageType, Qos, writeFindNodeRequest, writeHeader, writePing } from '@molia/wire';
import { DEFAULTS } from '../../src/constants.ts';
import { Contacts } from '../../src/contacts.ts';
import { Lookup } from '../../src/lookup.ts';
import { PrefixIndex } from '../../src/prefix-index.ts';
import { Table } from '../../src/table.ts';
import { Loopback } from '../loopback.ts';

function contactsOf(count: number): { contacts: Contacts; rows: number[]; targets: Uint8Array } {
  const rng = createSeededRng(5);
  const contacts = new Contacts(65_536, 7);
  const key = new Uint8Array(32);
  const endpoint = new Uint8Array(19);
  const rows: number[] = [];
  for (let i = 0; i < count; i++) {
    rng.fill(key, 0, 32);
    endpoint[0] = 4;
    endpoint[18] = 1;
    const row = contacts.intern(key, 0, endpoint, 0);
    contacts.hold(row);
    rows.push(row);
  }
  const targets = new Uint8Array(32 * 1024);
  rng.fill(targets, 0, targets.length);
  return { contacts, rows, targets };
}

export const operations = [
  {
    name: '20 closest of 5,000 contacts',
    setup() {
      const { contacts, rows, targets } = contactsOf(5_000);
      const index = new PrefixIndex(contacts);
      for (const row of rows) index.insert(row);
      const out = new Int32Array(20);
      let turn = 0;
      return () => {
        turn = (turn + 1) & 1023;
        index.closest(targets, turn * 32, 20, out, NONE, true);
      };
    },
  },
  {
    name: 'a contact of the table answered',
    setup() {
      const { contacts, rows } = contactsOf(600);
      const table = new Table(contacts, new Uint8Array(32), 20);
      for (const row of rows) table.answered(0, row);
      let turn = 0;
      return () => {
        turn = turn + 1 === rows.length ? 0 : turn + 1;
        const row = rows[turn] as number;
        contacts.heard(row, turn);
        contacts.sampleRtt(row, 20 + (turn & 7));
        table.answered(turn, row);
      };
    },
  },
  {
    name: 'a lookup: 20 answers of 20 contacts each, shortlist only',
    operationsMax: 5_000,
    setup() {
      const { contacts, rows, targets } = contactsOf(1_000);
      const index = new PrefixIndex(contacts);
      for (const row of rows) index.insert(row);
      const lookup = new Lookup(contacts, DEFAULTS);
      const told = new Int32Array(20);
      let turn = 0;
      return () => {
        turn = (turn + 1) & 1023;
        lookup.start(turn, targets, turn * 32, 1);
        const found = index.closest(targets, ((turn + 7) & 1023) * 32, 20, told);
        for (let i = 0; i < found; i++) lookup.add(told[i] as number, 0);
        while (!lookup.converged) {
          const row = lookup.next();
          if (row === NONE) break;
          lookup.answered(row);
          const count = index.closest(targets, turn * 32, 20, told, row);
          for (let i = 0; i < count; i++) lookup.add(told[i] as number, 0);
        }
        lookup.clear();
      };
    },
  },
  {
    name: 'a FIND_NODE request answered, from bytes to bytes',
    setup() {
      const loopback = new Loopback(64);
      const out = createTransmit();
      const { kademlia } = loopback.node(0);
      const request = new Uint8Array(256);
      const { targets } = contactsOf(1);
      let turn = 0;
      return () => {
        turn = (turn + 1) & 1023;
        writeHeader(request, HEADROOM, MessageType.FIND_NODE, 0, Qos.CONTROL, turn, 0);
        const length = writeFindNodeRequest(request, HEADROOM + HEADER_BYTES, targets, turn * 32, 0);
        kademlia.handleDatagram(turn, 1 + (turn % 63), request, HEADROOM, HEADER_BYTES + length);
        while (kademlia.pollTransmit(turn, out));
      };
    },
  },
  {
    name: 'a PING answered, from bytes to bytes',
    setup() {
      const loopback = new Loopback(64);
      const out = createTransmit();
      const { kademlia } = loopback.node(0);
      const request = new Uint8Array(256);
      let turn = 0;
      return () => {
        turn = (turn + 1) & 1023;
        writeHeader(request, HEADROOM, MessageType.PING, 0, Qos.CONTROL, turn, 0);
        const length = writePing(request, HEADROOM + HEADER_BYTES, request, 0, 8);
        kademlia.handleDatagram(turn, 1, request, HEADROOM, HEADER_BYTES + length);
        while (kademlia.pollTransmit(turn, out));
      };
    },
  },
  {
    name: 'a findNode among 64 nodes, both sides of every message',
    operationsMax: 2_000,
    setup() {
      const loopback = new Loopback(64);
      const event = createKademliaEvent();
      const { targets } = contactsOf(1);
      const target = new Uint8Array(32);
      const { kademlia } = loopback.node(5);
      const options = {};
      let turn = 0;
      return () => {
        turn = (turn + 1) & 1023;
        for (let i = 0; i < 32; i++) target[i] = targets[turn * 32 + i] as number;
        kademlia.findNode(loopback.now, target, options);
        loopback.settle(5);
        let ended = false;
        while (kademlia.pollEvent(event)) if (event.kind === EventKind.DONE) ended = true;
        if (!ended) throw new Error('the lookup did not end');
      };
    },
  },
];
