/**
 * Why bytes were refused: the negative verdicts of every reader of this package. Nothing here throws on input.
 * The codes begin below `WIRE_DROP_BASE`, so that a storey above can return them beside its own.
 */

/** All wire drop codes are smaller than this. */
export const WIRE_DROP_BASE = -100;

export const WireDrop = {
  /** Ends inside the header, a field or a number. */
  TRUNCATED: -101,
  /** Not protobuf: bad tag, unmatched group, varint over ten bytes, nesting over `NESTING_MAX`. */
  MALFORMED: -102,
  /** Another protocol version; the rest of the header was read. */
  VERSION: -103,
  /** A type that version 1 does not know; the rest of the header was read. */
  TYPE: -104,
  /** A field that must be there is absent. */
  MISSING: -105,
  /** A fixed-length field of another length. */
  LENGTH: -106,
  /** Over a limit in bytes. */
  TOO_LARGE: -107,
  /** Over a limit in number. */
  TOO_MANY: -108,
  /** A number outside its range. */
  RANGE: -109,
  /** Text that is not UTF-8. */
  UTF8: -110,
  /** A singular message field that occurs twice: protobuf would merge, we keep one range of bytes. */
  DUPLICATE: -111,
  /** Fields that contradict each other or the record's type. */
  INCONSISTENT: -112,
  /** The key does not belong to the value or the owner. */
  KEY: -113,
  /** The signature does not verify. */
  SIGNATURE: -114,
  /** The value is not the one that was declared or signed. */
  VALUE: -115,
} as const;
export type WireDrop = (typeof WireDrop)[keyof typeof WireDrop];

/** Counter names, in the order of `wireDropIndex`. */
export const wireDropNames = [
  'truncated',
  'malformed',
  'version',
  'type',
  'missing',
  'length',
  'too_large',
  'too_many',
  'range',
  'utf8',
  'duplicate',
  'inconsistent',
  'key',
  'signature',
  'value',
] as const;

/** Index of a drop code in `wireDropNames`; -1 for anything else. */
export function wireDropIndex(code: number): number {
  const index = WIRE_DROP_BASE - 1 - code;
  return index >= 0 && index < wireDropNames.length ? index : -1;
}
