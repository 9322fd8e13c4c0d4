/**
 * Signed packets: the records of one public key in a DNS message of at most 1000 bytes, signed as a mutable item of BEP 44
 * without salt. Byte-compatible with pkarr: key 32, signature 64, timestamp 8 (microseconds, big endian), message.
 */
import { type Curves, nobleCurves } from '@molia/core';
import {
  decodeBencode,
  encodeBencode,
  type MutableItem,
  SEQUENCE_MAX,
  signedBuffer,
  verifyItem,
} from '@molia/mainline';
import {
  KEY_BYTES,
  MESSAGE_BYTES_MAX,
  PACKET_BYTES_MAX,
  PACKET_HEAD_BYTES,
  PAYLOAD_BYTES_MAX,
  PAYLOAD_HEAD_BYTES,
  SIGNATURE_BYTES,
  TIMESTAMP_BYTES,
} from './constants.ts';
import { readMessage, writeMessage } from './dns-message.ts';
import { failure } from './errors.ts';
import { type Keypair, PublicKey } from './keys.ts';
import type { ResourceRecord } from './records.ts';

/** Why bytes are no signed packet. */
export type PacketFault =
  | 'bytes are missing'
  | 'there are more than 1000 bytes of DNS'
  | 'the timestamp is beyond 2^63 - 1'
  | 'the DNS message is malformed'
  | 'the signature is wrong';

const NO_SALT = new Uint8Array(0);
/** A clock that is this far ahead of ours is not believed when stored packets are read. */
const LAST_SEEN_AHEAD_MS = 60_000;

/** Bounds of how long a packet is used, in seconds. */
export interface TtlBounds {
  readonly ttlSecondsMin: number;
  readonly ttlSecondsMax: number;
}

/** Records of one key with their signature, always verified. Immutable. */
export class SignedPacket {
  readonly publicKey: PublicKey;
  /** 64 bytes. */
  readonly signature: Uint8Array;
  /** Microseconds since 1970; the sequence number of the item. */
  readonly timestamp: bigint;
  /** The DNS message, as it was signed. */
  readonly message: Uint8Array;
  /** All records, names complete. */
  readonly records: readonly ResourceRecord[];
  /** When the network was last seen to hold it, milliseconds since 1970. */
  readonly lastSeen: number;

  private constructor(
    publicKey: PublicKey,
    signature: Uint8Array,
    timestamp: bigint,
    message: Uint8Array,
    records: readonly ResourceRecord[],
    lastSeen: number,
  ) {
    this.publicKey = publicKey;
    this.signature = signature;
    this.timestamp = timestamp;
    this.message = message;
    this.records = records;
    this.lastSeen = lastSeen;
  }

  /**
   * The packet of a relay's payload (signature, timestamp, message), or why it is none. `lastSeen`: milliseconds since 1970. The
   * bytes are copied. Never throws.
   */
  static read(
    publicKey: PublicKey,
    payload: Uint8Array,
    lastSeen: number,
    curves: Curves = nobleCurves,
  ): SignedPacket | PacketFault {
    if (payload.length < PAYLOAD_HEAD_BYTES) return 'bytes are missing';
    if (payload.length > PAYLOAD_BYTES_MAX) return 'there are more than 1000 bytes of DNS';
    const timestamp = new DataView(payload.buffer, payload.byteOffset).getBigUint64(SIGNATURE_BYTES);
    if (timestamp > SEQUENCE_MAX) return 'the timestamp is beyond 2^63 - 1';
    const message = payload.slice(PAYLOAD_HEAD_BYTES);
    // Reading costs less than a signature, so junk is turned away first.
    const records = readMessage(message);
    if (records === undefined) return 'the DNS message is malformed';
    const packet = new SignedPacket(
      publicKey,
      payload.slice(0, SIGNATURE_BYTES),
      timestamp,
      message,
      records,
      lastSeen,
    );
    return verifyItem(packet.toItem(), curves) ? packet : 'the signature is wrong';
  }

  /** The same for an item of the Mainline DHT, whose value must be a byte string and whose salt must be empty. Never throws. */
  static readItem(item: MutableItem, lastSeen: number, curves?: Curves): SignedPacket | PacketFault {
    const publicKey = PublicKey.tryFromBytes(item.key);
    let message: unknown;
    try {
      message = decodeBencode(item.value);
    } catch {
      message = undefined;
    }
    if (publicKey === undefined || item.salt.length > 0 || !(message instanceof Uint8Array))
      return 'the DNS message is malformed';
    if (item.signature.length !== SIGNATURE_BYTES) return 'bytes are missing';
    return SignedPacket.read(publicKey, payloadOf(item.signature, item.seq, message), lastSeen, curves);
  }

  /** From a relay's payload. Throws INVALID_PACKET. */
  static fromRelayPayload(
    publicKey: PublicKey,
    payload: Uint8Array,
    lastSeen: number = Date.now(),
  ): SignedPacket {
    return orThrow(SignedPacket.read(publicKey, payload, lastSeen));
  }

  /** From `toBytes`. Throws INVALID_PACKET or INVALID_KEY. */
  static fromBytes(bytes: Uint8Array, lastSeen: number = Date.now()): SignedPacket {
    if (bytes.length < PACKET_HEAD_BYTES || bytes.length > PACKET_BYTES_MAX)
      throw failure(
        'INVALID_PACKET',
        `a signed packet has ${PACKET_HEAD_BYTES} to ${PACKET_BYTES_MAX} bytes, not ${bytes.length}`,
      );
    const publicKey = PublicKey.fromBytes(bytes.subarray(0, KEY_BYTES));
    return SignedPacket.fromRelayPayload(publicKey, bytes.subarray(KEY_BYTES), lastSeen);
  }

  /**
   * From `serialize`, verified again. A time of `lastSeen` more than a minute ahead of `now` (milliseconds since 1970) counts as
   * 0. Throws INVALID_PACKET or INVALID_KEY.
   */
  static deserialize(bytes: Uint8Array, now: number = Date.now()): SignedPacket {
    if (bytes.length < TIMESTAMP_BYTES) throw failure('INVALID_PACKET', 'stored bytes are missing');
    const micros = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0);
    const lastSeen = Number(micros / 1000n);
    return SignedPacket.fromBytes(
      bytes.subarray(TIMESTAMP_BYTES),
      lastSeen > now + LAST_SEEN_AHEAD_MS ? 0 : lastSeen,
    );
  }

  /**
   * Signs records, whose owners are taken relative to the key (`normalizeName`). `timestamp`: microseconds since 1970; the
   * clock's unless given, and higher than any that this process used before. Throws PACKET_TOO_LARGE, and RangeError for a
   * record that cannot be written.
   */
  static sign(
    keypair: Keypair,
    records: readonly ResourceRecord[],
    timestamp: bigint = nextTimestamp(),
  ): SignedPacket {
    if (timestamp < 0n || timestamp > SEQUENCE_MAX)
      throw new RangeError(`a timestamp is a bigint from 0 to 2^63 - 1, not ${timestamp}`);
    const { publicKey } = keypair;
    const complete = records.map((record) => ({ ...record, name: normalizeName(record.name, publicKey) }));
    const message = writeMessage(complete);
    if (message.length > MESSAGE_BYTES_MAX)
      throw failure(
        'PACKET_TOO_LARGE',
        `the records take ${message.length} bytes, and a packet holds ${MESSAGE_BYTES_MAX}`,
        'use fewer or shorter records',
      );
    const signature = keypair.sign(signedBuffer(encodeBencode(message), timestamp));
    const read = readMessage(message) as readonly ResourceRecord[];
    return new SignedPacket(publicKey, signature, timestamp, message, read, Date.now());
  }

  /** Key, signature, timestamp and message: 104 to 1104 bytes. */
  toBytes(): Uint8Array {
    return concat(this.publicKey.bytes, this.toRelayPayload());
  }

  /** What a relay takes and gives, `toBytes` without the key: 72 to 1072 bytes. */
  toRelayPayload(): Uint8Array {
    return payloadOf(this.signature, this.timestamp, this.message);
  }

  /** For keeping: eight bytes of `lastSeen` in microseconds, big endian, and `toBytes`. */
  serialize(): Uint8Array {
    const head = new Uint8Array(TIMESTAMP_BYTES);
    new DataView(head.buffer).setBigUint64(0, BigInt(Math.max(0, Math.trunc(this.lastSeen))) * 1000n);
    return concat(head, this.toBytes());
  }

  /** The item of BEP 44. */
  toItem(): MutableItem {
    return {
      key: this.publicKey.bytes,
      salt: NO_SALT,
      seq: this.timestamp,
      signature: this.signature,
      value: encodeBencode(this.message),
    };
  }

  /** The same packet, seen by the network at another time. */
  withLastSeen(lastSeen: number): SignedPacket {
    return new SignedPacket(
      this.publicKey,
      this.signature,
      this.timestamp,
      this.message,
      this.records,
      lastSeen,
    );
  }

  /** Whether it replaces the other one: a higher timestamp, or at the same time the larger message. */
  isMoreRecentThan(other: SignedPacket): boolean {
    if (this.timestamp !== other.timestamp) return this.timestamp > other.timestamp;
    return compareBytes(this.message, other.message) > 0;
  }

  /** Same key, time, message and signature. */
  isSameAs(other: SignedPacket): boolean {
    return compareBytes(this.toBytes(), other.toBytes()) === 0;
  }

  /** Records of a name relative to the key (`@` = the key itself). A first label `*` stands for any one label. */
  resourceRecords(name: string): readonly ResourceRecord[] {
    const wanted = normalizeName(name, this.publicKey).toLowerCase();
    const suffix = wanted.startsWith('*.') ? wanted.slice(1) : undefined;
    return this.records.filter((record) => {
      const owner = record.name.toLowerCase();
      if (suffix === undefined) return owner === wanted;
      return owner.endsWith(suffix) && !owner.slice(0, -suffix.length).includes('.');
    });
  }

  /** Those of them whose own TTL has not passed since `lastSeen`. `now`: milliseconds since 1970. */
  freshResourceRecords(name: string, now: number = Date.now()): readonly ResourceRecord[] {
    const elapsed = this.elapsedSeconds(now);
    return this.resourceRecords(name).filter((record) => record.ttl > elapsed);
  }

  /** The least TTL of its records within bounds; without records the lower bound. */
  ttlSeconds(bounds: TtlBounds): number {
    if (this.records.length === 0) return bounds.ttlSecondsMin;
    const least = this.records.reduce((ttl, record) => Math.min(ttl, record.ttl), Number.POSITIVE_INFINITY);
    return Math.min(bounds.ttlSecondsMax, Math.max(bounds.ttlSecondsMin, least));
  }

  /** Whole seconds since `lastSeen`, not below 0. */
  elapsedSeconds(now: number = Date.now()): number {
    return Math.max(0, Math.floor((now - this.lastSeen) / 1000));
  }

  /** Seconds for which it may still be used; 0 = it has expired. */
  expiresInSeconds(bounds: TtlBounds, now: number = Date.now()): number {
    return Math.max(0, this.ttlSeconds(bounds) - this.elapsedSeconds(now));
  }
}

/**
 * The complete name of a name in a packet: `@`, `.` and the empty text are the key; a name that ends in the key stays; any other
 * stands below the key.
 */
export function normalizeName(name: string, publicKey: PublicKey): string {
  const key = publicKey.toString();
  const bare = name.endsWith('.') && !name.endsWith('\\.') ? name.slice(0, -1) : name;
  const last = bare.slice(bare.lastIndexOf('.') + 1);
  if (last.toLowerCase() === key) return bare;
  return last === '' || last === '@' ? key : `${bare}.${key}`;
}

let lastTimestamp = 0n;

/** The clock in microseconds since 1970, always higher than the last one handed out and than `after`. */
export function nextTimestamp(after = 0n): bigint {
  const now = BigInt(Date.now()) * 1000n;
  const floor = after > lastTimestamp ? after : lastTimestamp;
  lastTimestamp = now > floor ? now : floor + 1n;
  return lastTimestamp;
}

function orThrow(read: SignedPacket | PacketFault): SignedPacket {
  if (typeof read !== 'string') return read;
  throw failure('INVALID_PACKET', `no signed packet: ${read}`);
}

function payloadOf(signature: Uint8Array, timestamp: bigint, message: Uint8Array): Uint8Array {
  const head = new Uint8Array(TIMESTAMP_BYTES);
  new DataView(head.buffer).setBigUint64(0, timestamp);
  return concat(signature, head, message);
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
