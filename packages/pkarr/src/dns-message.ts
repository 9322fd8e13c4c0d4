/**
 * The DNS message of a signed packet: a response (id 0, flags 0x8000) with nothing but answers of class IN, written with
 * compressed names. Readers take any message whose four sections can be walked to their end (RFC 1035 §4).
 */
import { ByteWriter } from './byte-writer.ts';
import { HEADER_BYTES, RECORDS_MAX } from './constants.ts';
import { labelsOf, nameOf, readName } from './domain-names.ts';
import {
  type RecordData,
  type ResourceRecord,
  readRecordData,
  typeCodeOf,
  writeRecordData,
} from './records.ts';

const FLAGS_RESPONSE = 0x8000;
const CLASS_IN = 1;
/** The top bit of a class is mDNS's cache flush. */
const CLASS_MASK = 0x7fff;
const TTL_MAX = 0xffff_ffff;

/** The message of records, owners complete. Throws RangeError that names what is wrong. */
export function writeMessage(records: readonly ResourceRecord[]): Uint8Array {
  if (records.length > RECORDS_MAX)
    throw new RangeError(`${records.length} records do not fit a packet: at most ${RECORDS_MAX}`);
  const out = new ByteWriter();
  for (const word of [0, FLAGS_RESPONSE, 0, records.length, 0, 0]) out.u16(word);
  for (const { name, ttl, data } of records) {
    if (!Number.isInteger(ttl) || ttl < 0 || ttl > TTL_MAX)
      throw new RangeError(`a TTL is a number of seconds from 0 to ${TTL_MAX}, not ${ttl}`);
    out.name(labelsOf(name), true);
    out.u16(typeCodeOf(data));
    out.u16(CLASS_IN);
    out.u32(ttl);
    const lengthAt = out.length;
    out.u16(0);
    writeRecordData(out, data);
    out.patch16(lengthAt, out.length - lengthAt - 2);
  }
  return out.take();
}

/**
 * The answers of a message, those of other classes than IN left out; `undefined` when it is malformed. Never throws.
 * BOUNDED: by the bytes; each record takes at least 11.
 */
export function readMessage(bytes: Uint8Array): readonly ResourceRecord[] | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = HEADER_BYTES;
  for (let left = view.getUint16(4); left > 0; left--) {
    const name = readName(bytes, at);
    if (name === undefined || name.end + 4 > bytes.length) return undefined;
    at = name.end + 4;
  }
  const answers: ResourceRecord[] = [];
  const answerCount = view.getUint16(6);
  const count = answerCount + view.getUint16(8) + view.getUint16(10);
  for (let i = 0; i < count; i++) {
    const name = readName(bytes, at);
    if (name === undefined || name.end + 10 > bytes.length) return undefined;
    const code = view.getUint16(name.end);
    const from = name.end + 10;
    at = from + view.getUint16(name.end + 8);
    if (at > bytes.length) return undefined;
    const data: RecordData | undefined = readRecordData(bytes, code, from, at);
    if (data === undefined) return undefined;
    if (i >= answerCount || (view.getUint16(name.end + 2) & CLASS_MASK) !== CLASS_IN) continue;
    answers.push({ name: nameOf(name.labels), ttl: view.getUint32(name.end + 4), data });
  }
  return answers;
}
