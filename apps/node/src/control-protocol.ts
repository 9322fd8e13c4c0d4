/**
 * The control API, version 1: HTTP over a local socket. JSON and raw bodies; long questions stream NDJSON.
 * Both sides read these names, so that a path is written once.
 */

/** Largest body of any request: a value of 64 KiB and nothing around it. */
export const BODY_BYTES_MAX = 65_536;
/** Largest body that is not a value: metadata, or a small JSON object. */
export const SMALL_BODY_BYTES_MAX = 4096;
/** Connections served at once; more wait in the system's queue. */
export const CONNECTIONS_MAX = 256;
/** How long a client may take to send a whole request. */
export const REQUEST_MS_MAX = 30_000;
/** How long a graceful stop waits for requests that run. */
export const DRAIN_MS_MAX = 2000;

export const CONTENT_JSON = 'application/json';
export const CONTENT_RAW = 'application/octet-stream';
export const CONTENT_NDJSON = 'application/x-ndjson';

/** Fields of an answer beside its raw body. */
export const Header = {
  KEY: 'molia-key',
  OWNER: 'molia-owner',
  SEQ: 'molia-seq',
  EQUIVOCATED: 'molia-equivocated',
  /** Bytes of a blob, or of the range asked for. */
  LENGTH: 'molia-length',
  /** Trailer of a blob that broke off: the error as JSON, percent-encoded. */
  ERROR: 'molia-error',
} as const;

/** First path segment of everything that needs the token. */
export const API_PREFIX = '/v1/';

/** HTTP status of an error code; what is not listed is a failed operation: 502. */
export function statusOf(code: string): number {
  switch (code) {
    case 'USAGE':
    case 'INVALID_ARGUMENT':
    case 'INVALID_KEY':
    case 'INVALID_SEED':
      return 400;
    case 'CONTROL_DENIED':
      return 401;
    case 'NOT_FOUND':
      return 404;
    case 'STALE_SEQUENCE':
    case 'CAS_MISMATCH':
    case 'EQUIVOCATION':
      return 409;
    case 'VALUE_TOO_LARGE':
      return 413;
    case 'INTERNAL':
      return 500;
    case 'UNSUPPORTED':
      return 501;
    case 'BUSY':
    case 'CLOSED':
    case 'NO_PEERS':
      return 503;
    case 'TIMEOUT':
      return 504;
    default:
      return 502;
  }
}
