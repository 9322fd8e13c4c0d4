/** Other encodings of the same protobuf message: shuffled, padded, with unknown and overridden fields. */
import type { Rng } from '@molia/core';

interface Field {
  readonly number: number;
  /** A varint or a length-delimited payload. */
  readonly value: bigint | Uint8Array;
}

/** A varint in `padding` bytes more than needed (ten in all at most). */
export function varint(value: bigint, padding = 0): number[] {
  const out: number[] = [];
  let rest = value;
  do {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  } while (rest > 0n);
  for (let i = 0; i < padding && out.length < 10; i++) out.push(0x80);
  out[out.length - 1] = (out[out.length - 1] as number) & 0x7f;
  return out;
}

export function field(number: number, value: bigint | Uint8Array, padding = 0): number[] {
  const isBytes = typeof value !== 'bigint';
  const tag = varint(BigInt((number << 3) | (isBytes ? 2 : 0)), Math.min(padding, 3));
  if (!isBytes) return [...tag, ...varint(value, padding)];
  return [...tag, ...varint(BigInt(value.length), padding), ...value];
}

function readVarint(bytes: Uint8Array, at: { position: number }): bigint {
  let value = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = bytes[at.position++] as number;
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
}

function parse(bytes: Uint8Array): Field[] {
  const fields: Field[] = [];
  const at = { position: 0 };
  while (at.position < bytes.length) {
    const tag = Number(readVarint(bytes, at));
    const number = tag >>> 3;
    if ((tag & 7) === 0) {
      fields.push({ number, value: readVarint(bytes, at) });
    } else {
      const length = Number(readVarint(bytes, at));
      fields.push({ number, value: bytes.slice(at.position, at.position + length) });
      at.position += length;
    }
  }
  return fields;
}

/** A field that no message of ours has, of any wire type; groups nested at most three deep. */
function unknownField(rng: Rng, depth = 1): number[] {
  const number = 100 + (rng.u32() % 1000);
  const kind = rng.u32() % (depth > 3 ? 4 : 5);
  const tag = (wireType: number) => varint(BigInt((number << 3) | wireType));
  if (kind === 0) return [...tag(0), ...varint(BigInt(rng.u32()), rng.u32() % 5)];
  if (kind === 1) return [...tag(1), 1, 2, 3, 4, 5, 6, 7, 8];
  if (kind === 2) return [...tag(2), ...varint(3n), 0xff, 0xff, 0xff];
  if (kind === 3) return [...tag(5), 1, 2, 3, 4];
  return [...tag(3), ...unknownField(rng, depth + 1), ...tag(4)];
}

/**
 * The message of `encoded` written another way. `nested` names the message fields, which are scrambled inside too and
 * never doubled; every other field may be preceded by an occurrence that it overrides.
 */
export function scramble(encoded: Uint8Array, nested: readonly number[], rng: Rng): Uint8Array {
  const fields = parse(encoded);
  for (let i = fields.length - 1; i > 0; i--) {
    const j = rng.u32() % (i + 1);
    [fields[i], fields[j]] = [fields[j] as Field, fields[i] as Field];
  }
  const out: number[] = [];
  for (const { number, value } of fields) {
    if (rng.u32() % 3 === 0) out.push(...unknownField(rng));
    if (nested.includes(number)) {
      out.push(...field(number, scramble(value as Uint8Array, [], rng), rng.u32() % 3));
      continue;
    }
    if (rng.u32() % 3 === 0) {
      // Readers hold every occurrence to the limits, so the overridden one stays within them.
      out.push(...field(number, typeof value === 'bigint' ? 1n : new Uint8Array(value.length).fill(0x61)));
    }
    out.push(...field(number, value, rng.u32() % 5));
  }
  if (rng.u32() % 3 === 0) out.push(...unknownField(rng));
  return Uint8Array.from(out);
}
