/** Two daemons without a seed, which find each other in a Mainline network of this process. */
import { join } from 'node:path';
import { createTestnet, type Testnet } from '@molia/mainline/node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cleanUp, endOf, eventually, molia, startDaemon, temporaryDirectory } from './support.ts';

let net: Testnet;
beforeAll(async () => {
  net = await createTestnet(6);
}, 60_000);
afterAll(async () => {
  await cleanUp();
  await net.close();
});

it('a daemon that publishes is found by one that looks in the Mainline DHT', async () => {
  const env = { MOLIA_MAINLINE_NODES: net.bootstrap.join(','), MOLIA_NETWORK: 'found by mainline' };
  const first = await startDaemon(join(temporaryDirectory(), 'data'), ['--publish-mainline'], { env });
  await eventually('the first daemon is published', 60_000, () =>
    first.stderr().includes('the record of this node is in the Mainline DHT'),
  );
  const second = await startDaemon(join(temporaryDirectory(), 'data'), ['--bootstrap', 'mainline:network'], {
    env,
  });
  const value = 'through the Mainline DHT';
  const put = await molia(['put', '-', '--json', '--data-dir', first.dataDir], { env, input: value });
  const { key } = JSON.parse(put.stdout) as { key: string };
  await eventually('the second daemon has the value', 60_000, async () => {
    const got = await molia(['get', key, '--data-dir', second.dataDir], { env });
    return got.code === 0 && got.stdout === value;
  });
  expect(await endOf(second.child, 'SIGTERM')).toBe(0);
  expect(await endOf(first.child, 'SIGTERM')).toBe(0);
}, 180_000);
