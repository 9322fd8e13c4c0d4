/** What goes in and out of the name server's engine. */

/** How a client is connected. */
export const Carrier = { UDP: 0, TCP: 1, HTTPS: 2 } as const;
export type Carrier = (typeof Carrier)[keyof typeof Carrier];

/** What became of an input. */
export const DnsVerdict = {
  TAKEN: 0,
  /** No query at all: too short, or a response. It gets no answer. */
  NO_QUERY: -1,
  /** The client's network is over its rate. Over UDP nothing or a cut answer, over TCP REFUSED, over HTTPS nothing. */
  LIMITED: -2,
  /** A reply to nothing that was asked. */
  UNEXPECTED: -3,
} as const;
export type DnsVerdict = (typeof DnsVerdict)[keyof typeof DnsVerdict];

/** What the host is to do. */
export type Output =
  | {
      readonly kind: 'answer';
      readonly carrier: Carrier;
      /** As given with the query. */
      readonly client: number;
      /** `ENDPOINT_BYTES`. */
      readonly endpoint: Uint8Array;
      readonly bytes: Uint8Array;
      /** How long a copy of it may be kept. */
      readonly ttlSeconds: number;
    }
  | {
      /** Send this from a port of its own, and hand in what comes back until `release`. */
      readonly kind: 'ask';
      readonly flight: number;
      readonly endpoint: Uint8Array;
      readonly overTcp: boolean;
      readonly bytes: Uint8Array;
    }
  /** Find the signed packet of a key. */
  | { readonly kind: 'lookup'; readonly flight: number; readonly key: Uint8Array }
  /** What was opened for this flight is not needed any more. */
  | { readonly kind: 'release'; readonly flight: number };

export const COUNTERS = [
  'queriesUdp',
  'queriesTcp',
  'queriesHttps',
  'noQueries',
  'limited',
  'truncated',
  'answeredNoError',
  'answeredNxDomain',
  'answeredServFail',
  'answeredRefused',
  'answeredFormErr',
  'answeredOther',
  'answeredStale',
  'cacheHits',
  'cacheMisses',
  'keyLookups',
  'keyLookupsFailed',
  'keyLookupsLimited',
  'upstreamAsks',
  'upstreamAsksTcp',
  'upstreamTimeouts',
  'upstreamMismatched',
  'upstreamFailed',
  'delegationAsks',
  'busy',
  'overdue',
] as const;
