/** The commands of this package's README, in their order, as they stand. */
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { cleanUp, endOf, molia, startDaemon, temporaryDirectory } from './support.ts';

afterAll(cleanUp);

it('every command of the README works as it stands', async () => {
  const readme = new URL('../README.md', import.meta.url).pathname;
  const lines = [...readFileSync(readme, 'utf8').matchAll(/^\$ molia (.+)$/gm)].map(
    (match) => match[1] as string,
  );
  expect(lines[0]).toBe('start');
  expect(lines.length).toBeGreaterThan(7);
  const cwd = temporaryDirectory();
  copyFileSync(readme, join(cwd, 'README.md'));
  const daemon = await startDaemon(join(cwd, 'data'));
  const env = { MOLIA_DATA_DIR: daemon.dataDir };
  let key = '';
  for (const line of lines.slice(1)) {
    const args = line
      .replace('PUBLIC_KEY', String(daemon.started['publicKey']))
      .replace('KEY', key)
      .split(' ');
    const { code, stdout, stderr } = await molia(args, { env, cwd });
    expect(code, `molia ${line}\n${stderr}`).toBe(0);
    if (args[0] === 'put') key = stdout.trim();
  }
  expect(readFileSync(join(cwd, 'copy.md')).equals(readFileSync(readme))).toBe(true);
  expect(await endOf(daemon.child)).toBe(0);
});
