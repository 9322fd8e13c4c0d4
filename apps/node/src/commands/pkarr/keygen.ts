/** `molia pkarr keygen`. */
import { join, resolve } from 'node:path';
import { wipe } from '@molia/core';
import { Keypair } from '@molia/pkarr';
import { openDataDir, writeIdentitySeed } from '../../datadir.ts';
import type { Context } from '../../program.ts';
import { configOf } from '../verb-io.ts';
import { KEY_FILE } from './network.ts';

export async function keygen(context: Context): Promise<void> {
  const { output, options } = context;
  const out = options['out'] as string | undefined;
  const { dataDir } = configOf(context);
  if (out === undefined) openDataDir(dataDir);
  const file = out === undefined ? join(dataDir, KEY_FILE) : resolve(out);
  const keypair = Keypair.random();
  const secret = keypair.secretKey();
  writeIdentitySeed(file, secret);
  wipe(secret);
  keypair.wipe();
  const { publicKey } = keypair;
  output.emit({ publicKey: `${publicKey}`, uri: publicKey.toUri(), file }, `${publicKey}`);
  output.talk(`secret key written to ${file} (mode 0600); whoever has this file owns the zone`);
}
