/** `molia id` and `molia keygen`. */
import { resolve } from 'node:path';
import { createIdentity, nobleCurves, toHex } from '@molia/core';
import { connectControl } from '../control-client.ts';
import { dataDirAt, openDataDir, readIdentitySeed, writeIdentitySeed } from '../datadir.ts';
import { cliError } from '../errors.ts';
import { lockOwner } from '../lock.ts';
import { columns } from '../output.ts';
import type { Context } from '../program.ts';
import { configOf } from './verb-io.ts';

export async function id(context: Context): Promise<void> {
  const { output } = context;
  const config = configOf(context);
  const dir = dataDirAt(config.dataDir);
  if (lockOwner(dir) !== undefined) {
    const found = await connectControl(config.dataDir, config.controlSocket).json('GET', 'status');
    const { id: nodeId, publicKey, seeds } = found;
    output.emit(
      { id: nodeId, publicKey, running: true, seeds },
      columns(
        [
          ['id', String(nodeId)],
          ['public key', String(publicKey)],
          ...(seeds as string[]).map((s): [string, string] => ['seed', s]),
        ],
        '',
      ),
    );
    return;
  }
  const seed = readIdentitySeed(dir.keyFile);
  if (seed === undefined) {
    throw cliError('FILE_NOT_FOUND', `there is no identity in ${config.dataDir} yet`, {
      hint: 'Make one with `molia keygen`, or with the first `molia start`',
    });
  }
  const own = createIdentity(nobleCurves, seed);
  const [nodeId, publicKey] = [toHex(own.id), toHex(own.publicKey)];
  own.wipe();
  output.emit(
    { id: nodeId, publicKey, running: false, seeds: [] },
    columns(
      [
        ['id', nodeId],
        ['public key', publicKey],
      ],
      '',
    ),
  );
}

export async function keygen(context: Context): Promise<void> {
  const { output, options } = context;
  const out = options['out'] as string | undefined;
  const file = out === undefined ? openDataDir(configOf(context).dataDir).keyFile : resolve(out);
  const own = createIdentity(nobleCurves);
  const seed = own.seed();
  writeIdentitySeed(file, seed);
  seed.fill(0);
  const [nodeId, publicKey] = [toHex(own.id), toHex(own.publicKey)];
  own.wipe();
  output.emit(
    { id: nodeId, publicKey, file },
    columns(
      [
        ['id', nodeId],
        ['public key', publicKey],
      ],
      '',
    ),
  );
  output.talk(`written to ${file} (mode 0600); whoever has this file is this node`);
}
