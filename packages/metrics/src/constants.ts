/** Limits of the registry. */

// Specification: Prometheus text exposition format 0.0.4.

/** Content type of `Registry.expose`. */
export const EXPOSITION_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

// Ours

/** Every metric name starts with it. */
export const NAME_PREFIX = 'molia_';
/** Families in a registry: every storey's counters and a good reserve; a leak of names shows as an error. */
export const FAMILIES_MAX = 1024;
/** Series in a family: label values come from small closed sets (a kind, a cause), never from peers. */
export const SERIES_MAX = 64;
/** Characters of a label value. */
export const LABEL_VALUE_CHARS_MAX = 64;
/** Characters of a name. */
export const NAME_CHARS_MAX = 120;
/** Levels into which `redactFields` descends; deeper values print as `[deep]`. */
export const REDACT_DEPTH_MAX = 6;
/** Entries of one array or object that `redactFields` keeps. */
export const REDACT_ENTRIES_MAX = 64;
/** Characters of one string that `redact` keeps. */
export const REDACT_CHARS_MAX = 8192;
