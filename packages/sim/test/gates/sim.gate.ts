/** What runs for every event of a simulation: none of it may allocate once the columns have grown. */
import { ENDPOINT_BYTES } from '@molia/core';
import type { GateOperation } from '../../../../tools/gate.ts';
import { ACCESS_CLASSES, EventQueue, type SimNode } from '../../src/index.ts';
import { simulator } from '../chatter.ts';

const cable = ACCESS_CLASSES[1] as (typeof ACCESS_CLASSES)[number];

function add(queue: EventQueue, at: number, tie: number, host: number, data: number): number {
  queue.next[0] = at;
  queue.next[1] = tie;
  return queue.add(1, host, data);
}

/** Answers every datagram, and sends one by a timer every 10 ms. */
class Pulse implements SimNode {
  readonly to = new Uint8Array(ENDPOINT_BYTES);
  readonly bytes = new Uint8Array(200);
  isEcho = false;
  send: (to: Uint8Array, at: number, bytes: Uint8Array, offset: number, length: number) => void = () => {};

  receive(endpoint: Uint8Array, at: number): void {
    if (this.isEcho) this.send(endpoint, at, this.bytes, 0, 120);
  }
}

export const operations: GateOperation[] = [
  {
    name: 'EventQueue: take and add, near and far, with a cancel',
    setup: () => {
      const queue = new EventQueue(256);
      for (let i = 0; i < 200; i++) add(queue, i, i, i, 0);
      let now = 0;
      let i = 0;
      return () => {
        const id = queue.take(Number.MAX_SAFE_INTEGER);
        now = queue.at[id] as number;
        i++;
        const span = (i & 15) === 0 ? 3_000_000 : 50_000;
        const gone = add(queue, now + 5 + ((i * 7919) % span), i + 200, 0, 0);
        queue.cancel(gone);
        add(queue, now + 5 + ((i * 104_729) % span), i + 200, 0, 0);
      };
    },
  },
  {
    name: 'Simulator: timers, datagrams with loss, bursts, jitter and queues, duplicates',
    setup: () => {
      const sim = simulator({ jitterShare: 0.02, cpuMicros: () => 5 });
      sim.network.faults.duplication = 0.1;
      for (let i = 0; i < 16; i++) {
        sim.start(sim.addHost({ row: i & 1, link: cable }), (host) => {
          const node = new Pulse();
          node.isEcho = i % 2 === 1;
          node.send = (to, at, bytes, offset, length) => host.send(to, at, bytes, offset, length);
          if (node.isEcho) return node;
          node.to.set(host.endpoint);
          // The next host's address is one higher.
          node.to[4] = (node.to[4] as number) + 1;
          const turn = (): void => {
            node.send(node.to, 0, node.bytes, 0, 200);
            host.setTimer(turn, 10);
          };
          host.setTimer(turn, 10);
          return node;
        });
      }
      return () => {
        sim.step(Number.MAX_SAFE_INTEGER);
      };
    },
  },
];
