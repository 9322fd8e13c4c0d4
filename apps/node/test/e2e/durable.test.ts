/** A daemon that is killed: what it acknowledged is there when it comes back, and it finds the network without a seed. */
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Control, connectControl } from '../../src/control-client.ts';
import { cleanUp, endOf, eventually, type Running, startDaemon, temporaryDirectory } from '../support.ts';

afterAll(cleanUp);

const VALUES = 30;

interface Node extends Running {
  readonly control: Control;
}

async function launch(dataDir: string, args: readonly string[]): Promise<Node> {
  const running = await startDaemon(dataDir, args);
  return { ...running, control: connectControl(dataDir, undefined) };
}

async function contacts(node: Node): Promise<number> {
  return Number((await node.control.json('GET', 'status'))['contacts']);
}

describe.sequential('a daemon that is killed', () => {
  const scratch = temporaryDirectory();
  let other: Node;
  let killed: Node;

  it('finds the network again without a seed', async () => {
    other = await launch(join(scratch, 'other'), []);
    const { seeds } = other.started as { seeds: string[] };
    killed = await launch(join(scratch, 'killed'), ['--seed', String(seeds[0])]);
    await eventually('they know each other', 10_000, async () => {
      return (await contacts(other)) > 0 && (await contacts(killed)) > 0;
    });
    // Contacts are written a second after they changed.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await endOf(killed.child, 'SIGKILL');
    killed = await launch(join(scratch, 'killed'), []);
    await eventually('it has a contact', 20_000, async () => (await contacts(killed)) > 0);
  });

  it('serves what it acknowledged when it comes back with nobody else there', async () => {
    const keys: string[] = [];
    // Half of them are put at the one that is killed, half at the other, which asks it to hold them.
    for (let i = 0; i < VALUES; i++) {
      const at = i % 2 === 0 ? killed : other;
      const result = await at.control.json('PUT', 'values', { body: Buffer.from(`value ${i}`) });
      expect(Number(result['holders'])).toBe(2);
      keys.push(String(result['key']));
    }
    await killed.control.json('PUT', 'mutable/profile', { body: Buffer.from('mine') });
    await Promise.all([endOf(killed.child, 'SIGKILL'), endOf(other.child, 'SIGKILL')]);
    killed = await launch(join(scratch, 'killed'), []);
    for (const [i, key] of keys.entries()) {
      const { bytes } = await killed.control.raw('GET', `values/${key}`);
      expect(Buffer.from(bytes).toString()).toBe(`value ${i}`);
    }
    const { publicKey } = killed.started as { publicKey: string };
    const { bytes } = await killed.control.raw('GET', `mutable/${publicKey}/profile`);
    expect(Buffer.from(bytes).toString()).toBe('mine');
  });
});
