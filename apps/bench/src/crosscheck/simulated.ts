/** The simulated half of the cross-check: the same script over the simulator, on a network as flat as loopback. */
import { type Curves, createIdentity } from '@molia/core';
import { EventKind } from '@molia/kademlia';
import { createStubIdentity, LatencyMatrix, PERFECT_LINK, Simulator } from '@molia/sim';
import { createImmutable, immutableKey } from '@molia/wire';
import { StackNode, stubCrypto } from '../sim/stack.ts';
import type { Asked, Script } from './script.ts';

const SEEDS = 3;
const JOIN_MS = 500;
const SETTLE_MS = 20_000;
const OPERATION_MS_MAX = 30_000;
/** How often it is looked whether an operation has ended. */
const LOOK_MS = 1;

/** Plays the script in virtual time. */
export function playSimulated(script: Script, seed: number, curves: Curves): Asked {
  const simulator = new Simulator({
    seed,
    matrix: new LatencyMatrix(new Uint16Array(1)),
    mtuBytes: 1452,
  });
  const nodes: StackNode[] = [];
  let done: { op: number; asked: number } | undefined;
  for (const identity of script.identities) {
    const host = simulator.addHost({ row: 0, link: PERFECT_LINK });
    const node = simulator.start(
      host,
      (face) =>
        new StackNode(face, {
          crypto: stubCrypto(),
          identity: createStubIdentity(createIdentity(curves, identity).publicKey),
          onEvent: (_from, event) => {
            if (event.kind === EventKind.DONE) done = { op: event.op, asked: event.b };
          },
        }),
    ) as StackNode;
    for (const known of nodes.slice(0, SEEDS))
      node.kademlia.addContact(node.now(), known.identity.publicKey, known.endpoint);
    if (nodes.length > 0) node.kademlia.bootstrap(node.now());
    node.pump();
    nodes.push(node);
    simulator.run(JOIN_MS);
  }
  for (const node of nodes) {
    node.kademlia.bootstrap(node.now());
    node.pump();
    simulator.run(JOIN_MS);
  }
  simulator.run(SETTLE_MS);

  const ask = (node: StackNode, start: (node: StackNode) => number): number => {
    done = undefined;
    const op = start(node);
    node.pump();
    const hasEnded = (): boolean => done?.op === op;
    for (let waited = 0; !hasEnded() && waited < OPERATION_MS_MAX; waited += LOOK_MS) simulator.run(LOOK_MS);
    if (!hasEnded()) throw new Error(`a simulated operation did not end in ${OPERATION_MS_MAX} ms`);
    return (done as unknown as { asked: number }).asked;
  };
  const at = (index: number): StackNode => nodes[index] as StackNode;

  const finds = script.finds.map(({ asker, target }) =>
    ask(at(asker), (node) => node.kademlia.findNode(node.now(), target)),
  );
  for (const { writer, value } of script.puts)
    ask(at(writer), (node) => node.kademlia.store(node.now(), createImmutable(value, 86_400)));
  simulator.run(SETTLE_MS);
  const gets = script.gets.map(({ asker, put }) => {
    const key = immutableKey((script.puts[put] as Script['puts'][number]).value);
    return ask(at(asker), (node) => node.kademlia.findValue(node.now(), key));
  });
  return { finds, gets };
}
