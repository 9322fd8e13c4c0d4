/**
 * The value of a provider record: `u8 count of endpoints || per endpoint u8 length and its compact form || metadata`.
 * The endpoints are where the owner says it can be reached; the metadata is the application's.
 */
import { endpointToCompact, TAKEN, type Verdict } from '@molia/core';
import { COMPACT_IPV6_BYTES, PROVIDER_ENDPOINTS_MAX, PROVIDER_METADATA_BYTES_MAX } from './constants.ts';
import { isCompactLength } from './contacts.ts';
import { WireDrop } from './drops.ts';
import { requireLength } from './keys.ts';

/** Offsets in borrowed bytes. Reused. */
export class ProviderValueView {
  endpointsCount = 0;
  readonly endpointOffsets = new Int32Array(PROVIDER_ENDPOINTS_MAX);
  /** 6 or 18. */
  readonly endpointLengths = new Uint8Array(PROVIDER_ENDPOINTS_MAX);
  metadataOffset = 0;
  metadataLength = 0;
}

/** Builds the value; `endpoints` in the 19-byte form. Throws RangeError beyond a limit. */
export function createProviderValue(endpoints: readonly Uint8Array[], metadata: Uint8Array): Uint8Array {
  if (endpoints.length > PROVIDER_ENDPOINTS_MAX) {
    throw new RangeError(
      `a provider names at most ${PROVIDER_ENDPOINTS_MAX} endpoints, not ${endpoints.length}`,
    );
  }
  requireLength('provider metadata', metadata.length, 0, PROVIDER_METADATA_BYTES_MAX);
  const value = new Uint8Array(1 + endpoints.length * (1 + COMPACT_IPV6_BYTES) + metadata.length);
  let at = 0;
  value[at++] = endpoints.length;
  for (const endpoint of endpoints) {
    const length = endpointToCompact(value, at + 1, endpoint, 0);
    value[at] = length;
    at += 1 + length;
  }
  value.set(metadata, at);
  return value.slice(0, at + metadata.length);
}

/** Reads a provider's value. */
export function readProviderValue(
  bytes: Uint8Array,
  offset: number,
  length: number,
  out: ProviderValueView,
): Verdict {
  if (length === 0) return WireDrop.TRUNCATED;
  const end = offset + length;
  const count = bytes[offset] as number;
  if (count > PROVIDER_ENDPOINTS_MAX) return WireDrop.TOO_MANY;
  let at = offset + 1;
  for (let index = 0; index < count; index++) {
    if (at >= end) return WireDrop.TRUNCATED;
    const endpointLength = bytes[at] as number;
    if (!isCompactLength(endpointLength)) return WireDrop.LENGTH;
    if (at + 1 + endpointLength > end) return WireDrop.TRUNCATED;
    out.endpointOffsets[index] = at + 1;
    out.endpointLengths[index] = endpointLength;
    at += 1 + endpointLength;
  }
  out.endpointsCount = count;
  out.metadataOffset = at;
  out.metadataLength = end - at;
  return end - at > PROVIDER_METADATA_BYTES_MAX ? WireDrop.TOO_LARGE : TAKEN;
}
