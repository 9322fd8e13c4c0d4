/** `molia pkarr resolve`: the records of a key, or of one name below it. */
import { MoliaError } from '@molia/core';
import { type Endpoint, formatZone, type PkarrClient, type ResourceRecord } from '@molia/pkarr';
import type { Context } from '../../program.ts';
import { keyArgument, withNetwork } from './network.ts';

export async function resolve(context: Context, name: string): Promise<void> {
  const key = keyArgument(name);
  const { options, output } = context;
  await withNetwork(context, async (client) => {
    if (options['endpoints'] === true) return endpoints(context, client, name);
    const packet = await client.resolveMostRecent(key);
    if (packet === undefined) throw new MoliaError('NOT_FOUND', `no packet was found under ${key}`);
    const type = (options['type'] as string | undefined)?.toUpperCase();
    const isWhole = name.replace(/^pk:/, '') === `${key}`;
    const records = (isWhole ? packet.records : packet.resourceRecords(name)).filter(
      ({ data }) => type === undefined || data.type === type,
    );
    output.emit(
      {
        publicKey: `${key}`,
        timestamp: `${packet.timestamp}`,
        records: records.map(plain),
      },
      formatZone(records).trimEnd(),
    );
    output.talk(`signed ${new Date(Number(packet.timestamp / 1000n)).toISOString()}`);
  });
}

async function endpoints(context: Context, client: PkarrClient, name: string): Promise<void> {
  let count = 0;
  for await (const endpoint of client.resolveEndpoints(name)) {
    count++;
    const { target, domain, port, publicKey, addresses, priority } = endpoint;
    context.output.emit(
      { target, domain: domain ?? null, port: port ?? null, publicKey: `${publicKey}`, addresses, priority },
      line(endpoint),
    );
  }
  if (count === 0) throw new MoliaError('NOT_FOUND', `${name} has no HTTPS record`);
}

function line({ domain, port, publicKey, addresses }: Endpoint): string {
  const where = domain ?? (addresses.length > 0 ? addresses.join(' ') : 'no address');
  return `${where}${port === undefined ? '' : ` port ${port}`} key ${publicKey}`;
}

/** A record as JSON: name, TTL, type, and the data as a zone file has it. */
function plain(record: ResourceRecord): object {
  const [, ttl, , type, ...data] = formatZone([record]).trimEnd().split(' ');
  return { name: record.name, ttl: Number(ttl), type, data: data.join(' ') };
}
