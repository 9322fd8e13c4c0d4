/**
 * Every number of the Molia v1 wire format. The first block is the specification: changing a number there breaks
 * interoperation. The second block is our own choice, with the reason.
 */

// ---- Specification (docs/spec/wire.md, docs/spec/records.md) ----

/** Value of the header's first byte. */
export const PROTOCOL_VERSION = 1;
/** Bytes of the header before the protobuf body. */
export const HEADER_BYTES = 12;
/** Bytes of a message, header and body: 1200 + 32 (WireGuard) + 8 (UDP) + 40 (IPv6) = 1280, the least MTU of IPv6. */
export const MESSAGE_BYTES_MAX = 1200;
/** Bytes of a body in a message of `MESSAGE_BYTES_MAX`. */
export const BODY_BYTES_MAX = MESSAGE_BYTES_MAX - HEADER_BYTES;

/** Header byte 1. */
export const MessageType = {
  PING: 1,
  PONG: 2,
  NEGOTIATE: 3,
  NEGOTIATE_RESPONSE: 4,
  FIND_NODE: 5,
  FIND_NODE_RESPONSE: 6,
  FIND_VALUE: 7,
  FIND_VALUE_RESPONSE: 8,
  STORE: 9,
  STORE_RESPONSE: 10,
  ANNOUNCE_PROVIDER: 11,
  ANNOUNCE_PROVIDER_RESPONSE: 12,
  FETCH_CHUNK: 13,
  FETCH_CHUNK_RESPONSE: 14,
  PUNCH: 15,
  PUNCH_RESPONSE: 16,
  RELAY: 17,
  RELAY_RESPONSE: 18,
  TRACE_HINT: 250,
  CACHE_HINT: 251,
  ERROR: 255,
} as const;
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

/** Bits of header byte 2; a sender leaves the others zero, a receiver ignores them. */
export const HeaderFlag = {
  RESPONSE: 1,
  /** Another answer with the same correlation follows. */
  MORE: 2,
  /** A decoy or a neighbour probe. */
  PROBE: 4,
  /** The requester opted in to tracing. */
  TRACE: 8,
} as const;

/** Header byte 3. */
export const Qos = { CONTROL: 0, COORDINATION: 1, HINTS: 2 } as const;
export type Qos = (typeof Qos)[keyof typeof Qos];

export const ErrorCode = {
  UNSPECIFIED: 0,
  NOT_FOUND: 1,
  BUSY: 2,
  RATE_LIMITED: 3,
  INVALID: 4,
  TOO_LARGE: 5,
  UNSUPPORTED: 6,
  UNAUTHORIZED: 7,
  INTERNAL: 8,
} as const;
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** Bit numbers of a feature set (NEGOTIATE, node records, early data). */
export const Feature = {
  PRIVACY_BLINDING: 0,
  TWO_HOP_RELAY: 1,
  CHUNK_PULL: 2,
  ERASURE_HINTS: 3,
  EARLY_DATA: 4,
  RENDEZVOUS: 5,
  RELAY: 6,
  INDEX: 7,
  SETS: 8,
  RECURSIVE_LOOKUP: 9,
  TRACE: 10,
} as const;
export type Feature = (typeof Feature)[keyof typeof Feature];

export const Want = { VALUE: 0, PROVIDERS: 1 } as const;
export type Want = (typeof Want)[keyof typeof Want];

export const StoreStatus = {
  /** Held now. */
  STORED: 1,
  /** Accepted; the value is being pulled; the outcome follows with the same correlation. */
  PULLING: 2,
  /** A higher sequence is held. */
  STALE: 3,
  CAS_MISMATCH: 4,
  /** The key is farther than the answerer stores for. */
  NOT_RESPONSIBLE: 5,
  /** Same sequence, other bytes: the larger value hash was kept. */
  EQUIVOCATION: 6,
  FULL: 7,
} as const;
export type StoreStatus = (typeof StoreStatus)[keyof typeof StoreStatus];

export const RecordType = { IMMUTABLE: 1, MUTABLE: 2, PROVIDER: 3 } as const;
export type RecordType = (typeof RecordType)[keyof typeof RecordType];

/** Bits of a record's `flags`; all 16 are signed, unknown ones are kept and ignored. */
export const RecordFlag = {
  /** A mutable record that says "deleted"; its value is empty. */
  TOMBSTONE: 1,
} as const;

/** Kind of an endpoint in a node record. */
export const EndpointKind = { UDP: 1, TCP: 2, WEBRTC: 3, RELAY: 4 } as const;
export type EndpointKind = (typeof EndpointKind)[keyof typeof EndpointKind];

export const NatClass = {
  UNSPECIFIED: 0,
  OPEN: 1,
  ENDPOINT_INDEPENDENT: 2,
  ADDRESS_DEPENDENT: 3,
  ADDRESS_AND_PORT_DEPENDENT: 4,
  BLOCKED: 5,
} as const;
export type NatClass = (typeof NatClass)[keyof typeof NatClass];

/** Bytes of a key, an id, a hash, an Ed25519 or X25519 public key. */
export const KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;
/** Compact endpoints: address and port, network byte order. */
export const COMPACT_IPV4_BYTES = 6;
export const COMPACT_IPV6_BYTES = 18;

export const PING_PAYLOAD_BYTES_MAX = 32;
export const CONTACTS_MAX = 20;
/** Closer contacts beside a value. */
export const CONTACTS_BESIDE_VALUE_MAX = 8;
export const PROVIDERS_MAX = 32;
/** Bytes of a value that travels inside its record in a datagram. */
export const VALUE_INLINE_BYTES_MAX = 1000;
/** Bytes of a value at all. */
export const VALUE_BYTES_MAX = 65_536;
export const NAMESPACE_BYTES_MAX = 255;
export const SALT_BYTES_MAX = 64;
export const PROVIDER_METADATA_BYTES_MAX = 128;
export const REASON_BYTES_MAX = 128;
/** Bytes of data in one FETCH_CHUNK answer. */
export const CHUNK_BYTES_MAX = 1120;
export const NODE_RECORD_BYTES_MAX = 512;
/** Sequences and instants stay below 2^53, so that every implementation can hold them in a double. */
export const INTEGER_MAX = 2 ** 53 - 1;
export const RECORD_FLAGS_MAX = 0xffff;
/** What a record's signature starts with, as ASCII. */
export const RECORD_DOMAIN = 'molia/record/1';
/** What a node record's signature starts with, as ASCII. */
export const NODE_RECORD_DOMAIN = 'molia/node/1';
/** Endpoints in the value of a provider record. */
export const PROVIDER_ENDPOINTS_MAX = 8;
/** One count byte, eight IPv6 endpoints with their length byte, the metadata: 1 + 8 * 19 + 128 = 281. */
export const PROVIDER_VALUE_BYTES_MAX =
  1 + PROVIDER_ENDPOINTS_MAX * (1 + COMPACT_IPV6_BYTES) + PROVIDER_METADATA_BYTES_MAX;
/** Operation stamps. */
export const STAMP_SALT_BYTES_MAX = 32;

// ---- Ours ----

/** Groups inside groups in unknown fields: nothing of ours uses groups, so four is generous and bounds the work. */
export const NESTING_MAX = 4;
/** Bytes of a varint, as in protobuf itself: 10 * 7 bits >= 64 bits. */
export const VARINT_BYTES_MAX = 10;
/**
 * Bytes of an encoded record: the value plus the largest envelope. Tags and lengths 13 * 2 + 6, key 32, type 1,
 * sequence and not_before 8 each, ttl 5, owner 32, signature 64, flags 3, namespace 255, salt 64 = 504; rounded up.
 */
export const RECORD_BYTES_MAX = VALUE_BYTES_MAX + 512;
/** Endpoints, observed endpoints and relay offers in a node record: 512 bytes hold no more than this of any useful kind. */
export const NODE_RECORD_ENTRIES_MAX = 16;
/** Salt of an admission puzzle in a node record. */
export const PUZZLE_SALT_BYTES = 16;
