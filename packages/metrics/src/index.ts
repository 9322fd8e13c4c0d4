export { EXPOSITION_CONTENT_TYPE, NAME_PREFIX } from './constants.ts';
export { redact, redactFields } from './redact.ts';
export type { CounterSource, HistogramOptions, HistogramSource, Labels } from './registry.ts';
export { Registry } from './registry.ts';
