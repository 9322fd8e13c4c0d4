/** What the verbs of pkarr share: the DHT and the relays that their options name, keys, zones. */
import { join, resolve } from 'node:path';
import { MoliaError, wipe } from '@molia/core';
import { createMainline, createTestnet, type Mainline, type MainlineOptions } from '@molia/mainline/node';
import { createPkarrClient, Keypair, type PkarrClient, PublicKey } from '@molia/pkarr';
import { readIdentitySeed } from '../../datadir.ts';
import { cliError } from '../../errors.ts';
import type { Context } from '../../program.ts';
import { configOf } from '../verb-io.ts';

/** Name of the secret key in the data directory. */
export const KEY_FILE = 'pkarr.key';

export interface PkarrNetwork {
  readonly client: PkarrClient;
  close(): Promise<void>;
}

/** The node of the DHT that the options ask for, with whatever must be closed after it. */
export async function openMainline(
  context: Context,
  options: MainlineOptions,
): Promise<{ readonly mainline: Mainline; close(): Promise<void> }> {
  const given = context.options['bootstrap'] as string[] | undefined;
  const testnet = context.options['testnet'] === true ? await createTestnet(10) : undefined;
  const bootstrap = testnet?.bootstrap ?? given;
  try {
    const mainline = await createMainline({
      ...options,
      ...(bootstrap === undefined ? {} : { bootstrap }),
      ...(testnet === undefined ? {} : { host: '127.0.0.1' }),
    });
    const close = async (): Promise<void> => {
      await mainline.close();
      await testnet?.close();
    };
    return { mainline, close };
  } catch (error) {
    await testnet?.close();
    if (error instanceof RangeError) throw cliError('USAGE', error.message);
    throw error;
  }
}

/** A client for one verb: `--relay`, `--no-dht`, `--bootstrap`. */
export async function openNetwork(context: Context): Promise<PkarrNetwork> {
  const { options } = context;
  const relays = (options['relay'] as string[] | undefined) ?? [];
  const dht = options['dht'] === false ? undefined : await openMainline(context, { mode: 'client', port: 0 });
  try {
    const client = createPkarrClient({ mainline: dht?.mainline, relays });
    return {
      client,
      async close() {
        await client.close();
        await dht?.close();
      },
    };
  } catch (error) {
    await dht?.close();
    if (error instanceof TypeError || (error as { code?: unknown }).code === 'NO_NETWORK')
      throw cliError('USAGE', (error as Error).message, {
        hint: 'Give at least one --relay, or leave out --no-dht',
      });
    throw error;
  }
}

/** The key in an argument. */
export function keyArgument(text: string): PublicKey {
  const key = PublicKey.tryParse(text);
  if (key !== undefined) return key;
  const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
  throw cliError('USAGE', `${shown} holds no public key`, {
    hint: 'A key has 52 characters, as `molia pkarr keygen` prints it',
  });
}

/** The key pair of `--key`, or of the data directory. */
export function keypairOf(context: Context): Keypair {
  const given = context.options['key'] as string | undefined;
  const file =
    given === undefined ? join(configOf(context, ['bootstrap']).dataDir, KEY_FILE) : resolve(given);
  const seed = readIdentitySeed(file);
  if (seed === undefined)
    throw cliError('FILE_NOT_FOUND', `${file} does not exist`, {
      hint: 'Make a key with `molia pkarr keygen`, or name its file with --key',
    });
  const keypair = Keypair.fromSecretKey(seed);
  wipe(seed);
  return keypair;
}

/** Runs something, and closes what it needed also when it fails. */
export async function withNetwork(
  context: Context,
  run: (client: PkarrClient) => Promise<void>,
): Promise<void> {
  const network = await openNetwork(context);
  try {
    await run(network.client);
  } finally {
    await network.close();
  }
}

export function isCode(error: unknown, code: string): boolean {
  return error instanceof MoliaError && error.code === code;
}
