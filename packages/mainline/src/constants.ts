/** Numbers of the Mainline DHT: those of its specifications, and our own limits with their reasons. */

// ---- Specification: changing one breaks interoperation ----

/** Node ids, info-hashes and targets: 160 bits (BEP 5). */
export const NODE_ID_BYTES = 20;
/** A bucket's contacts, and the nodes of one answer (BEP 5: K). */
export const BUCKET_CONTACTS = 8;
/** A contact that was silent for so long is questionable; a bucket unchanged for so long is refreshed (BEP 5). */
export const QUESTIONABLE_MS = 15 * 60_000;
/** Tokens: a new secret every 5 minutes, the previous one still accepted (BEP 5). */
export const TOKEN_ROTATION_MS = 5 * 60_000;
/** A stored value may be dropped two hours after its last put (BEP 44). */
export const ITEM_LIFE_MS = 2 * 60 * 60_000;
/** Bytes of a salt (BEP 44). */
export const SALT_BYTES_MAX = 64;
/** Bytes of a public key and of a signature (BEP 44: Ed25519). */
export const PUBLIC_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;
/** Where a new node asks first, unless told otherwise. */
export const BOOTSTRAP: readonly string[] = [
  'router.bittorrent.com:6881',
  'dht.transmissionbt.com:6881',
  'dht.libtorrent.org:25401',
  'relay.pkarr.org:6881',
];

// ---- Ours ----

/**
 * Bytes of a value we still store: pkarr writes up to 1000 raw bytes, five more when bencoded (`1000:`). Other nodes may
 * refuse more than 1000 bencoded bytes (BEP 44), and libtorrent does: a sender stays below that.
 */
export const STORED_VALUE_BYTES_MAX = 1005;
/** Nesting of lists and dictionaries that a reader follows; KRPC itself needs four. */
export const DEPTH_MAX = 32;
/** A datagram we read at most: twice what BEP 32 lets anybody send. */
export const DATAGRAM_BYTES_MAX = 2048;
/** A datagram we send at most: 1005 bytes of value, key, signature, eight nodes and token fit; an MTU of 1280 does too. */
export const SENT_BYTES_MAX = 1472;
/** Transaction ids that we echo; longer ones are taken for an attack on our answers' size. */
export const TRANSACTION_BYTES_MAX = 32;
/** Tokens of other nodes that we keep: libtorrent's have 4 bytes, ours 8, bittorrent-dht's 20. */
export const TOKEN_BYTES_MAX = 64;
/** Two letters and two version bytes in `v` (BEP 20): `ML`, version 0.1. */
export const CLIENT_VERSION = new Uint8Array([0x4d, 0x4c, 0, 1]);
/**
 * Nodes in an answer that brings nothing else. BEP 5 says 8; with 8, all nodes near a target name the same 8, and a search for
 * the 20 nearest found 78 % of them in a simulated network of 1000 (others send 20 as well: 520 bytes, 760 over IPv6).
 */
export const NODES_ANSWERED = 20;
/** Closest answering nodes of a lookup that reads or writes values: survives 19 of 20 leaving. */
export const STORE_NODES = 20;
/** Most nodes that one put goes to, whatever the size estimate says. */
export const STORE_NODES_MAX = 64;
/** Nodes that one lookup remembers: the 64 it may write to, as many that failed or are under way, and some. */
export const CANDIDATES_MAX = 192;
/** Requests of one lookup in flight; late ones are not counted. */
export const ALPHA = 6;
/** Requests of the whole node in flight. INVARIANT: a transaction id has 12 bits for the row. */
export const REQUESTS_MAX = 4096;
/** Datagrams that wait for the host; it drains after every input, so this bounds one input's work. */
export const OUTBOX_MAX = 512;
/** Operations at once. */
export const OPERATIONS_MAX = 1024;
/** Queries of unknown nodes verified by a ping of ours, a second: what a flood of strangers makes us send. */
export const VERIFY_PINGS_PER_SECOND = 20;
/** A request counts as late after the smoothed round trip and four deviations, within these bounds. */
export const LATE_MS_MIN = 100;
export const LATE_MS_MAX = 1000;
/** The table's upkeep runs so often. */
export const UPKEEP_MS = 60_000;
/** After an attempt to bootstrap that found nobody: the next one, doubled up to UPKEEP_MS. */
export const BOOTSTRAP_RETRY_MS = 2000;
/** A client asks itself so long after its start, and again at every such interval, whether it can serve. */
export const ADAPTIVE_MS = 15 * 60_000;
/** Voters on our address that are remembered, one vote an IP address. */
export const VOTERS_MAX = 32;
/** Votes that an address needs, besides the majority, to be taken for ours. */
export const VOTES_MIN = 3;
/** Lookups whose responders (with tokens) are kept, and for how long a token is good. */
export const RECENT_LOOKUPS_MAX = 256;
export const TOKEN_USE_MS = 5 * 60_000;
/** Samples of the size estimate: all of them, and the latest, of which the lower counts against Sybils. */
export const SIZE_SAMPLES_MAX = 64;
export const SIZE_SAMPLES_FAST = 8;
/** Peers in one answer to get_peers: 50 x 8 bytes beside eight nodes and the token stay below 1024 bytes. */
export const PEERS_ANSWERED_MAX = 50;
