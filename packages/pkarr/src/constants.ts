/** Numbers of signed packets and of those who carry them. */

// Specification: changing one breaks interoperation.

/** Ed25519 public key (RFC 8032). */
export const KEY_BYTES = 32;
/** z-base-32 digits of a key: 260 bits, of which the last four are zero. */
export const KEY_DIGITS = 52;
export const SIGNATURE_BYTES = 64;
/** Microseconds since 1970, big endian. */
export const TIMESTAMP_BYTES = 8;
/** Bytes of a DNS message in a packet: what BEP 44 lets a value have. */
export const MESSAGE_BYTES_MAX = 1000;
/** A relay's body in front of the message: signature and timestamp. */
export const PAYLOAD_HEAD_BYTES = SIGNATURE_BYTES + TIMESTAMP_BYTES;
export const PAYLOAD_BYTES_MAX = PAYLOAD_HEAD_BYTES + MESSAGE_BYTES_MAX;
/** A whole packet in front of the message: the key as well. */
export const PACKET_HEAD_BYTES = KEY_BYTES + PAYLOAD_HEAD_BYTES;
export const PACKET_BYTES_MAX = PACKET_HEAD_BYTES + MESSAGE_BYTES_MAX;
/** RFC 1035 §4.1.1. */
export const HEADER_BYTES = 12;
/** RFC 1035 §2.3.4: bytes of a name on the wire, its length octets included, and of one label. */
export const NAME_BYTES_MAX = 255;
export const LABEL_BYTES_MAX = 63;
/** RFC 1035 §3.3: bytes of a character string. */
export const STRING_BYTES_MAX = 255;

// Ours.

/** Records that are read of a message: the smallest has 11 bytes, so 1000 bytes hold at most 89. */
export const RECORDS_MAX = 90;
/** Where packets are published unless told otherwise: the relays that pkarr's own clients use. */
export const DEFAULT_RELAYS: readonly string[] = Object.freeze([
  'https://pkarr.pubky.app',
  'https://pkarr.pubky.org',
]);
/** Media type of a relay's bodies, as the published API names it. */
export const PAYLOAD_TYPE = 'application/pkarr.org/relays#payload';
/** Header of a relay: nodes of the DHT that confirmed a packet. */
export const STORED_NODES_HEADER = 'Pkarr-Dht-Stored-Nodes';
/** Header of a relay: sequence number of the newest item, where that is no packet. */
export const INVALID_SEQ_HEADER = 'Pkarr-Invalid-Signed-Packet-Seq';
