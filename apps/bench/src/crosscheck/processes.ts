/** The real half of the cross-check: as many processes as nodes, over loopback. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { toHex } from '@molia/core';
import type { Order } from './node.ts';
import type { Asked, Script } from './script.ts';

/** Processes that start at the same time: more only wait for the processor. */
const STARTS_MAX = 4;
const SEEDS = 3;
/** The network counts as settled when nobody sent more than its upkeep for this long. */
const QUIET_MS = 1_000;
const SETTLE_MS_MAX = 60_000;
const ORDER_MS_MAX = 60_000;

class NodeProcess {
  seed = '';
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #next = 1;

  constructor(program: string) {
    this.#child = fork(program, { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#child.on('message', (m: { id: number; result?: unknown; error?: string }) => {
      const waiting = this.#waiting.get(m.id);
      this.#waiting.delete(m.id);
      if (m.error === undefined) waiting?.resolve(m.result);
      else waiting?.reject(new Error(m.error));
    });
    this.#child.on('exit', (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`a node's process ended (${code})`));
      this.#waiting.clear();
    });
  }

  ask(order: Order): Promise<unknown> {
    const id = this.#next++;
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#child.send({ id, order });
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), ORDER_MS_MAX);
    return answer.finally(() => clearTimeout(timer));
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** Plays the script with real processes; `folder` holds the built `crosscheck-node.js`. */
export async function playForReal(
  script: Script,
  folder: string,
  progress: (line: string) => void,
): Promise<Asked> {
  const nodes: NodeProcess[] = [];
  const start = async (identity: Uint8Array): Promise<void> => {
    const node = new NodeProcess(join(folder, 'crosscheck-node.js'));
    const known = nodes.slice(0, SEEDS).map((n) => n.seed);
    nodes.push(node);
    const seed = await node.ask({
      do: 'open',
      identity: toHex(identity),
      seeds: known.filter((s) => s !== ''),
    });
    node.seed = seed as string;
  };
  try {
    // In order of the script's identities, the first ones one by one, so that all others have seeds.
    for (let i = 0; i < script.identities.length; ) {
      const together = i < SEEDS ? 1 : STARTS_MAX;
      await Promise.all(script.identities.slice(i, i + together).map(start));
      i += together;
      progress(`${nodes.length} of ${script.identities.length} processes joined`);
    }
    for (const node of nodes) await node.ask({ do: 'join' });
    await settle(nodes, progress);

    const finds: number[] = [];
    for (const { asker, target } of script.finds) {
      finds.push((await nodes[asker]?.ask({ do: 'find', target: toHex(target) })) as number);
    }
    progress(`${finds.length} finds done`);
    const keys: string[] = [];
    for (const { writer, value } of script.puts) {
      keys.push((await nodes[writer]?.ask({ do: 'put', value: toHex(value) })) as string);
    }
    await settle(nodes, progress);
    const gets: number[] = [];
    for (const { asker, put } of script.gets) {
      gets.push((await nodes[asker]?.ask({ do: 'get', key: keys[put] as string })) as number);
    }
    progress(`${gets.length} gets done`);
    await Promise.all(nodes.map((node) => node.ask({ do: 'close' })));
    return { finds, gets };
  } catch (error) {
    for (const node of nodes) node.kill();
    throw error;
  }
}

/** Waits until nobody is busy with having joined. */
async function settle(nodes: readonly NodeProcess[], progress: (line: string) => void): Promise<void> {
  const total = async (): Promise<number> => {
    const counts = await Promise.all(nodes.map((node) => node.ask({ do: 'sent' })));
    return counts.reduce<number>((sum, count) => sum + (count as number), 0);
  };
  let before = await total();
  for (let waited = 0; waited < SETTLE_MS_MAX; waited += QUIET_MS) {
    await sleep(QUIET_MS);
    const now = await total();
    // Liveness pings go on for ever: at most one a second and node.
    if (now - before <= nodes.length) return;
    progress(`settling: ${now - before} requests in the last second`);
    before = now;
  }
}
