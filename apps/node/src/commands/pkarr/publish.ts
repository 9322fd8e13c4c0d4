/** `molia pkarr publish`: a zone file, signed and stored over what was there before. */
import { MoliaError } from '@molia/core';
import { type Keypair, nextTimestamp, type PkarrClient, parseZone, SignedPacket } from '@molia/pkarr';
import { cliError } from '../../errors.ts';
import type { Context } from '../../program.ts';
import { nodes, readInput } from '../verb-io.ts';
import { isCode, keypairOf, withNetwork } from './network.ts';

export async function publish(context: Context, file: string): Promise<void> {
  const { output, options } = context;
  const keypair = keypairOf(context);
  try {
    const text = substituted(
      new TextDecoder().decode(await readInput(file)),
      (options['set'] as string[] | undefined) ?? [],
    );
    const records = parseZone(text, keypair.publicKey, { ttl: options['ttl'] as number | undefined });
    // What cannot be signed is found before anybody is asked.
    signed(keypair, records, 0n);
    await withNetwork(context, async (client) => {
      output.talk(`looking for an earlier packet of ${keypair.publicKey}`);
      const before = await seenBefore(client, keypair);
      const packet = signed(keypair, records, nextTimestamp(before));
      output.talk(`publishing ${records.length} records in ${packet.message.length} bytes`);
      const { storedAt, takenBy, askedOf } = await client.publish(
        packet,
        before === undefined ? {} : { cas: before },
      );
      const { publicKey, timestamp } = packet;
      output.emit(
        {
          publicKey: `${publicKey}`,
          timestamp: `${timestamp}`,
          bytes: packet.message.length,
          records: records.length,
          storedAt,
          takenBy,
          askedOf,
        },
        `${publicKey}`,
      );
      output.talk(
        `stored on ${nodes(storedAt)}; nodes forget it within days, so keep \`molia pkarr republish\` running`,
      );
    });
  } finally {
    keypair.wipe();
  }
}

/** The timestamp that the new packet must follow. */
async function seenBefore(client: PkarrClient, keypair: Keypair): Promise<bigint | undefined> {
  try {
    return (await client.resolveMostRecent(keypair.publicKey))?.timestamp;
  } catch (error) {
    // Something of ours that is no packet is replaced as well.
    if (isCode(error, 'NEWEST_IS_NO_PACKET')) return (error as unknown as { seq: bigint }).seq;
    throw error;
  }
}

function signed(
  keypair: Keypair,
  records: Parameters<typeof SignedPacket.sign>[1],
  timestamp: bigint,
): SignedPacket {
  try {
    return SignedPacket.sign(keypair, records, timestamp);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new MoliaError('INVALID_ZONE', error.message, { hint: 'correct the zone file', cause: error });
  }
}

/** `{name}` in the text becomes its `--set name=value`: for addresses that change. */
function substituted(text: string, settings: readonly string[]): string {
  let result = text;
  for (const setting of settings) {
    const [, name, value] = /^(\w+)=(.*)$/s.exec(setting) ?? [];
    if (name === undefined || value === undefined)
      throw cliError('USAGE', `--set takes name=value, not ${JSON.stringify(setting)}`);
    result = result.replaceAll(`{${name}}`, () => value);
  }
  const left = /\{\w+\}/.exec(result.replace(/;.*$/gm, ''))?.[0];
  if (left !== undefined)
    throw cliError('USAGE', `the zone file needs a value for ${left}`, {
      hint: `Add --set ${left.slice(1, -1)}=VALUE`,
    });
  return result;
}
