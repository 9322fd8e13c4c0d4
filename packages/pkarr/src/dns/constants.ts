/** Numbers of the name server. */

// Specification: changing one breaks interoperation.

/** RFC 1035 §4.2.2: what two octets of length can say. */
export const MESSAGE_BYTES_MAX = 65_535;
/** RFC 1035 §4.2.1: an answer over UDP to a client that says nothing about its buffer. */
export const PLAIN_UDP_BYTES = 512;

export const CLASS_IN = 1;

/** Record types (IANA registry) that this server treats in a way of their own. */
export const Type = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const;

/** Response codes (RFC 1035, 6891, 7873). */
export const Rcode = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
} as const;

/** Bits of a header's second 16-bit word. */
export const Flag = {
  QR: 0x8000,
  OPCODE: 0x7800,
  AA: 0x0400,
  TC: 0x0200,
  RD: 0x0100,
  RA: 0x0080,
  AD: 0x0020,
  CD: 0x0010,
  RCODE: 0x000f,
} as const;

/** RFC 6891 §6.1.4: the bit in an OPT record's TTL field that asks for DNSSEC records. */
export const DNSSEC_OK = 0x8000;

// Ours.

/** What our OPT records offer, and what leaves in one datagram at most: fits one IPv6 packet of 1280 bytes (DNS flag day 2020). */
export const UDP_BYTES_MAX = 1232;
/** Steps over aliases, zones and delegations for one question; the deepest chains seen in the wild have 5. */
export const STEPS_MAX = 12;
/** Addresses of a delegation that are asked, in their order. */
export const DELEGATION_ADDRESSES_MAX = 4;
/** Answers to one attempt that do not match before the question goes over TCP: somebody guesses ids. */
export const MISMATCHES_MAX = 8;
/** TTL of an answer that is past its time, given because nobody could be asked (RFC 8767 §4 recommends 30). */
export const STALE_TTL_SECONDS = 30;
/** How long a failure is remembered (RFC 9520 §3.2: from 1 s to 5 minutes). */
export const FAILURE_TTL_SECONDS = 5;
/** Of answers beyond a client's rate over UDP, one in so many is sent cut, so that an honest client turns to TCP. */
export const CUT_ONE_IN = 2;
/** Bytes an entry of the cache costs beside its message. */
export const ENTRY_BYTES = 256;
