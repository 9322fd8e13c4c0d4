/** Numbers of the WireGuard engine: what interoperation depends on, and what is ours to choose. */

// Specification: WireGuard (Donenfeld, NDSS 2017) and its reference implementations; docs/spec/first-contact.md where
// it says Molia. Changing one of these breaks interoperation.

/** Noise protocol name; its hash is the first chaining key (section 5.4). */
export const CONSTRUCTION = 'Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s';
/** Noise prologue (section 5.4). */
export const IDENTIFIER = 'WireGuard v1 zx2c4 Jason@zx2c4.com';
/** Prefix of what the mac1 key is a hash of. */
export const LABEL_MAC1 = 'mac1----';
/** Prefix of what the key of cookie replies is a hash of. */
export const LABEL_COOKIE = 'cookie--';

export const MESSAGE_INITIATION = 1;
export const MESSAGE_RESPONSE = 2;
export const MESSAGE_COOKIE = 3;
export const MESSAGE_DATA = 4;

/** Initiation: type 4, sender 4, ephemeral 32, static 48, timestamp 28, mac1 16, mac2 16. */
export const INITIATION_BYTES = 148;
/** Response: type 4, sender 4, receiver 4, ephemeral 32, empty 16, mac1 16, mac2 16. */
export const RESPONSE_BYTES = 92;
/** Cookie reply: type 4, receiver 4, nonce 24, sealed cookie 32. */
export const COOKIE_BYTES = 64;
/** Data without payload (a keepalive): type 4, receiver 4, counter 8, tag 16. */
export const DATA_BYTES_MIN = 32;
/** Bytes of a data message before its payload. */
export const DATA_HEADER_BYTES = 16;
/** Where the payload of a response begins. */
export const RESPONSE_PAYLOAD_OFFSET = 44;
/** Where the timestamp of an initiation begins. */
export const INITIATION_PAYLOAD_OFFSET = 88;
/** mac1 and mac2 at the end of a handshake message. */
export const MACS_BYTES = 32;
/** Bytes of a TAI64N stamp. */
export const TAI64N_BYTES = 12;
/** Bytes of mac1, mac2 and of a cookie. */
export const MAC_BYTES = 16;
/** Payloads to plain peers are padded to a multiple of this. */
export const PADDING_BYTES = 16;

export const REKEY_AFTER_TIME_MS = 120_000;
export const REJECT_AFTER_TIME_MS = 180_000;
export const REKEY_ATTEMPT_TIME_MS = 90_000;
export const REKEY_TIMEOUT_MS = 5_000;
/** A retry waits up to this much longer. */
export const REKEY_TIMEOUT_JITTER_MS = 333;
export const KEEPALIVE_TIMEOUT_MS = 10_000;
/** Age at which an initiator that only receives asks for new keys. */
export const REKEY_ON_RECEIVE_MS = REJECT_AFTER_TIME_MS - KEEPALIVE_TIMEOUT_MS - REKEY_TIMEOUT_MS;
/** Silence after which what we sent counts as unanswered. */
export const NO_ANSWER_MS = KEEPALIVE_TIMEOUT_MS + REKEY_TIMEOUT_MS;
/** All keys of a peer are wiped this long after its last session was made. */
export const ZERO_KEYS_MS = 3 * REJECT_AFTER_TIME_MS;
/** High half of REKEY_AFTER_MESSAGES = 2^60. */
export const REKEY_AFTER_MESSAGES_HIGH = 2 ** 28;
/** REJECT_AFTER_MESSAGES = 2^64 - 2^13 - 1, as two halves. */
export const REJECT_AFTER_MESSAGES_HIGH = 0xffffffff;
export const REJECT_AFTER_MESSAGES_LOW = 0xffffdfff;
/** Life of a cookie secret. */
export const COOKIE_SECRET_MS = 120_000;
/** Age at which we stop to use a cookie: its secret may be 5 s older than our copy (Linux). */
export const COOKIE_USE_MS = 115_000;
/** Initiations of one peer nearer together are dropped (50 a second). */
export const INITIATION_SPACING_MS = 20;
/** How long an engine stays under load once it was. */
export const UNDER_LOAD_MS = 1_000;
/** Handshakes with a valid mac2 that one address may make a second under load. */
export const SOURCE_RATE = 20;
/** And how many at once. */
export const SOURCE_BURST = 5;
/** Bits of the replay ring; one 64-bit block of it is being replaced, the rest is the window. */
export const REPLAY_RING_BITS = 8192;
/** How far behind the newest counter one is still accepted. */
export const REPLAY_WINDOW = 8128;

/** Byte 1 of an extended initiation or response; 0 in WireGuard (Molia). */
export const EXTENDED = 1;
/** Early data behind the stamp: Ed25519 key 32, capabilities u32, message length u16, message, zeros (Molia). */
export const EARLY_HEADER_BYTES = 38;
/** Datagram bytes of an extended initiation at most: 1280 (IPv6 minimum) - 40 - 8 (Molia). */
export const EXTENDED_INITIATION_BYTES_MAX = 1232;
/** Longest early message: what 1232 bytes leave (Molia). */
export const EARLY_MESSAGE_BYTES_MAX = EXTENDED_INITIATION_BYTES_MAX - INITIATION_BYTES - EARLY_HEADER_BYTES;
/** An unproven address gets at most this many bytes for one of its own (Molia; RFC 9000 section 8). */
export const AMPLIFICATION_MAX = 3;

// Ours: free to change, nobody on the wire can tell.

/** Extended initiations before a plain one is tried: a stock WireGuard drops extended ones. */
export const EXTENDED_ATTEMPTS = 2;
/** A new early message may follow an initiation that is unanswered for this long with a second one; both are waited for. */
export const EARLY_RENEW_MS = 100;
/** A session younger than this is not doubted: a burst of loss must not cost a handshake a request. */
export const DOUBT_AGE_MS = 1_000;
/** An initiation that asks for a large answer has this length: 3 * 432 = 1296 >= 92 + 1200. */
export const LARGE_ANSWER_INITIATION_BYTES = 432;
/** Bytes of one waiting message: 1200 by docs/spec/wire.md, more on probed paths. */
export const QUEUED_MESSAGE_BYTES_MAX = 1472;
/** Address and port bytes that a cookie binds at most: ENDPOINT_BYTES of core. */
export const PATH_BYTES_MAX = 19;
/** Buckets of the per-address limiter: 4096 * 16 B = 64 KiB. */
export const SOURCE_BUCKETS = 4096;
/** Forged responses to one initiation that may cost us a Diffie-Hellman before a mac2 is asked for. */
export const FORGED_RESPONSES_MAX = 4;
/** Rows that one search for an evictable peer looks at. */
export const EVICTION_SAMPLE = 64;
/** An unconfirmed stranger may be evicted after this silence: longer than any round trip. */
export const EVICT_UNCONFIRMED_MS = 2_000;
/** Any other peer without live traffic may be evicted after this silence. */
export const EVICT_IDLE_MS = 60_000;
/** Events that may wait; `handleTimeout` stops early while fewer than `EVENTS_RESERVE` fit. */
export const EVENTS_MAX = 1024;
export const EVENTS_RESERVE = 4;
/** Bytes of responses and cookie replies that may wait: 64 datagrams of the larger kind at once. */
export const OUTBOX_BYTES = 16_384;
/** Sessions a peer can have: previous, current, next, and the two that may be asked for at once. */
export const SESSIONS_PER_PEER = 5;
