/** Why the engine dropped something, as negative verdicts, and the counters of everything it does. */

/** Verdicts below 0 of `handleDatagram` and `send`; each has a counter of its name. */
export const WireguardDrop = {
  /** Type, length or reserved bytes are not WireGuard's. */
  MALFORMED: -1,
  /** A handshake message without our mac1: answered by silence. */
  BAD_MAC1: -2,
  /** No session or handshake has this receiver index. */
  UNKNOWN_INDEX: -3,
  /** The handshake did not open: wrong keys, pre-shared key or bytes. */
  BAD_HANDSHAKE: -4,
  /** The initiation's stamp is not later than the peer's last one. */
  REPLAYED_INITIATION: -5,
  /** Within 20 ms of the peer's last initiation. */
  INITIATION_FLOOD: -6,
  /** Under load, and the source did not prove its address: a cookie reply goes out. */
  COOKIE_REQUIRED: -7,
  /** Under load, and the source used its handshakes up. */
  RATE_LIMITED: -8,
  /** An unknown static key while `acceptUnknown` is false. */
  UNKNOWN_PEER: -9,
  /** `peersMax` peers are in use and none may be evicted. */
  PEERS_FULL: -10,
  /** The identity key in early data is not the session's static key. */
  BAD_IDENTITY: -11,
  /** Data that does not open. */
  BAD_DATA: -12,
  /** A counter seen before, or too old. */
  REPLAYED_DATA: -13,
  /** The session is past 180 s. */
  EXPIRED_SESSION: -14,
  /** A cookie reply that does not answer our last handshake message. */
  BAD_COOKIE: -15,
  /** Our own static key came back. */
  SELF: -16,
  /** `send`: the handle is stale. */
  STALE_PEER: -17,
  /** `send`: no path is known. */
  NO_PATH: -18,
  /** `send`: no session yet, and the queues are full. */
  QUEUE_FULL: -19,
  /** `send`: no session yet, and the message is longer than a queue's block. */
  TOO_LARGE: -20,
} as const;

/** Names by `-verdict`; 0 is none. */
export const wireguardDropNames = Object.freeze([
  'none',
  ...Object.keys(WireguardDrop).map((name) => name.toLowerCase()),
]);

/** Counters: drops first (by `-verdict`), then these. */
export const wireguardCounterNames = [
  'datagrams_in',
  'drop_malformed',
  'drop_bad_mac1',
  'drop_unknown_index',
  'drop_bad_handshake',
  'drop_replayed_initiation',
  'drop_initiation_flood',
  'drop_cookie_required',
  'drop_rate_limited',
  'drop_unknown_peer',
  'drop_peers_full',
  'drop_bad_identity',
  'drop_bad_data',
  'drop_replayed_data',
  'drop_expired_session',
  'drop_bad_cookie',
  'drop_self',
  'drop_stale_peer',
  'drop_no_path',
  'drop_queue_full',
  'drop_too_large',
  'initiations_sent',
  'initiations_received',
  'responses_sent',
  'responses_received',
  'cookie_replies_sent',
  'cookie_replies_received',
  'data_sent',
  'data_received',
  'keepalives_sent',
  'keepalives_received',
  'early_messages_sent',
  'early_messages_received',
  'early_answers_sent',
  'early_answers_received',
  'early_answers_deferred',
  'handshakes_given_up',
  'sessions_made',
  'keys_zeroed',
  'peers_evicted',
  'peers_roamed',
  'messages_queued',
  'messages_dropped',
  'outbox_full',
  'events_lost',
  'sessions_doubted',
] as const;

/** Cells of the counters that are no drop. */
export const Count = {
  DATAGRAMS_IN: 0,
  INITIATIONS_SENT: 21,
  INITIATIONS_RECEIVED: 22,
  RESPONSES_SENT: 23,
  RESPONSES_RECEIVED: 24,
  COOKIE_REPLIES_SENT: 25,
  COOKIE_REPLIES_RECEIVED: 26,
  DATA_SENT: 27,
  DATA_RECEIVED: 28,
  KEEPALIVES_SENT: 29,
  KEEPALIVES_RECEIVED: 30,
  EARLY_MESSAGES_SENT: 31,
  EARLY_MESSAGES_RECEIVED: 32,
  EARLY_ANSWERS_SENT: 33,
  EARLY_ANSWERS_RECEIVED: 34,
  EARLY_ANSWERS_DEFERRED: 35,
  HANDSHAKES_GIVEN_UP: 36,
  SESSIONS_MADE: 37,
  KEYS_ZEROED: 38,
  PEERS_EVICTED: 39,
  PEERS_ROAMED: 40,
  MESSAGES_QUEUED: 41,
  MESSAGES_DROPPED: 42,
  OUTBOX_FULL: 43,
  EVENTS_LOST: 44,
  SESSIONS_DOUBTED: 45,
} as const;
