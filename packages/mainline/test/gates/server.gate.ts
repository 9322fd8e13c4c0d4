/** A server's answers to reading queries, datagram in to datagram out: none may allocate. */
import { createSeededRng, parseEndpoint } from '@molia/core';
import type { GateOperation } from '../../../../tools/gate.ts';
import { type BencodeInput, createDatagram, encodeBencode, MainlineEngine } from '../../src/index.ts';

const id = new Uint8Array(20).fill(7);

function answers(q: string, a: BencodeInput & object): () => () => void {
  return () => {
    const engine = new MainlineEngine({
      rng: createSeededRng(1),
      mode: 'server',
      queriesPerSecondPerAddress: 0,
    });
    engine.handleTimeout(0);
    const query = encodeBencode({ a: a as BencodeInput, q, ro: 1, t: 'aa', y: 'q' });
    const from = parseEndpoint('203.0.113.9:4000');
    const out = createDatagram();
    return () => {
      engine.handleDatagram(1, from, 0, query, 0, query.length);
      engine.pollTransmit(out);
    };
  };
}

export const operations: GateOperation[] = [
  { name: 'ping', setup: answers('ping', { id }) },
  { name: 'find_node', setup: answers('find_node', { id, target: id }) },
  { name: 'get_peers', setup: answers('get_peers', { id, info_hash: id }) },
  { name: 'get', setup: answers('get', { id, target: id }) },
];
