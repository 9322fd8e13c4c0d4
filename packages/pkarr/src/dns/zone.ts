/** The zone of a public key: the records of its signed packet, found as a name server finds them. */
import { NAME_BYTES_MAX } from '../constants.ts';
import { CLASS_IN, Type } from './constants.ts';
import { putName, type ResourceRecord, recordsOf, targetOf } from './message.ts';
import { firstLabel, isWithin, type KeyPlace, parentOf, ROOT, type WireName, wireOf } from './names.ts';

/** What a zone says about a name and a type. */
export interface Found {
  /** Records of the name with that type; or its one CNAME record. */
  readonly answers: readonly ResourceRecord[];
  /** Where a CNAME record leads. */
  readonly alias: WireName | undefined;
  /** NS records of the name or of the nearest name above it, when there are no answers. */
  readonly delegation: readonly ResourceRecord[];
  /** Whether the name, or one below it, has records at all. */
  readonly exists: boolean;
}

const AT_SIGN = wireOf(['@']);

/**
 * Records of a packet's DNS message, owners in the spelling of the question (`place`): under the key alone or with a top-level
 * domain behind it. Owners that do not end in the key are relative to it; `.` and `@` are its apex. `undefined`: malformed.
 */
export function zoneOf(dns: Uint8Array, place: KeyPlace): readonly ResourceRecord[] | undefined {
  const bare = String.fromCharCode(place.text.length) + place.text + ROOT;
  const records: ResourceRecord[] = [];
  const read = recordsOf(dns, 0);
  if (read === undefined) return undefined;
  for (const record of read) {
    const { name } = record;
    const owner = isWithin(name, bare)
      ? name.slice(0, -bare.length)
      : name === AT_SIGN
        ? ''
        : name.slice(0, -1);
    if (owner.length + place.apex.length > NAME_BYTES_MAX) continue;
    records.push({ ...record, name: owner + place.apex });
  }
  return records;
}

/** What the zone holds for a name in it. A first label `*` stands for exactly one label; an exact owner comes before it. */
export function findIn(zone: readonly ResourceRecord[], apex: WireName, name: WireName, type: number): Found {
  const exact = zone.filter((record) => record.name === name);
  const wildcard = `\x01*${parentOf(name)}`;
  const own =
    exact.length > 0 || name === apex
      ? exact
      : zone
          .filter((record) => record.name === wildcard && firstLabel(name) !== '*')
          .map((record) => ({ ...record, name }));
  const answers = own.filter((record) => record.type === type);
  const exists = own.length > 0 || zone.some((record) => isWithin(record.name, name));
  if (answers.length > 0) return { answers, alias: undefined, delegation: [], exists };
  const cname = own.find((record) => record.type === Type.CNAME);
  if (cname !== undefined) return { answers: [cname], alias: targetOf(cname), delegation: [], exists };
  for (let at = name; isWithin(at, apex); at = parentOf(at)) {
    const delegation = zone.filter((record) => record.name === at && record.type === Type.NS);
    if (delegation.length > 0) return { answers: [], alias: undefined, delegation, exists };
  }
  return { answers: [], alias: undefined, delegation: [], exists };
}

/** A and AAAA records of the hosts that NS records name, as far as the zone has them. */
export function glueOf(
  zone: readonly ResourceRecord[],
  delegation: readonly ResourceRecord[],
  place: KeyPlace,
): readonly ResourceRecord[] {
  const bare = String.fromCharCode(place.text.length) + place.text + ROOT;
  const hosts = delegation.map((record) => {
    const host = targetOf(record);
    // The zone's owners are in the question's spelling, its data is not.
    return isWithin(host, bare) ? host.slice(0, -bare.length) + place.apex : host;
  });
  return zone.filter(
    (record) => (record.type === Type.A || record.type === Type.AAAA) && hosts.includes(record.name),
  );
}

/** The SOA record that a negative answer needs to be kept by who asked (RFC 2308); a packet has none of its own. */
export function authorityOf(apex: WireName, seconds: number): ResourceRecord {
  const names = apex + wireOf(['nobody', 'invalid']);
  const data = new Uint8Array(names.length + 20);
  putName(data, 0, names);
  const view = new DataView(data.buffer, names.length);
  // Serial, refresh, retry and expire mean nothing here: nobody copies this zone by them.
  for (const [i, value] of [1, 3600, 600, 86_400, seconds].entries()) view.setUint32(i * 4, value);
  return { name: apex, type: Type.SOA, class: CLASS_IN, ttl: seconds, data };
}

/** The least TTL of a packet's records, 0 for a malformed or an empty one. */
export function leastTtlOf(dns: Uint8Array): number {
  const records = recordsOf(dns, 0);
  return records === undefined || records.length === 0 ? 0 : Math.min(...records.map((record) => record.ttl));
}
