/**
 * A strict look at protobuf bytes before protobuf-es reads them. protobuf-es takes a known field under any wire type
 * for what the schema says, which other implementations do not; a signed body must not mean two things. This walk
 * refuses such fields, singular messages that occur twice, and what `ProtoReader` refuses.
 */
import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { TAKEN, type Verdict } from '@molia/core';
import { NESTING_MAX } from './constants.ts';
import { WireDrop } from './drops.ts';
import { BYTES, FIELD, ProtoReader, VARINT } from './proto.ts';

/** BOUNDED: by the bytes and by `NESTING_MAX` levels of messages. A cold path: one reader for each level. */
export function checkEncoding(
  schema: DescMessage,
  bytes: Uint8Array,
  offset: number,
  length: number,
  depth = 1,
): Verdict {
  if (depth > NESTING_MAX) return WireDrop.MALFORMED;
  const fields = new Map(schema.fields.map((field) => [field.number, field]));
  const seen = new Set<number>();
  const reader = new ProtoReader();
  reader.open(bytes, offset, length);
  let verdict = reader.next();
  for (; verdict === FIELD; verdict = reader.next()) {
    const field = fields.get(reader.tag >>> 3);
    if (field === undefined) continue;
    if ((reader.tag & 7) !== wireTypeOf(field)) return WireDrop.MALFORMED;
    if (field.message === undefined) continue;
    if (field.fieldKind === 'message' && seen.has(field.number)) return WireDrop.DUPLICATE;
    seen.add(field.number);
    const inner = checkEncoding(field.message, bytes, reader.offset, reader.length, depth + 1);
    if (inner < 0) return inner;
  }
  return verdict < 0 ? verdict : TAKEN;
}

/** Our schemas hold bytes, strings, messages, enums, bools and unsigned integers: two wire types. */
function wireTypeOf(field: DescField): number {
  const isBytes =
    field.message !== undefined || field.scalar === ScalarType.BYTES || field.scalar === ScalarType.STRING;
  return isBytes ? BYTES : VARINT;
}
