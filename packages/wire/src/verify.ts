/**
 * Whether a record is what it says (docs/spec/records.md): the key belongs to the value or the owner, the signature
 * covers this very record, a detached value has the declared length and hash. Runs on a view that `readRecord` passed.
 * Uses scratch memory of the module, so nothing is allocated beyond what hash and curves allocate.
 */
import { blake3Into, type Curves, copyBytes, equalBytes, TAKEN, type Verdict } from '@molia/core';
import { KEY_BYTES, RecordType, SIGNATURE_BYTES } from './constants.ts';
import { WireDrop } from './drops.ts';
import { mutableKeyInto, SIGNED_BYTES, signedBytesInto } from './keys.ts';
import { ProviderValueView, readProviderValue } from './provider-value.ts';
import type { RecordView } from './record-view.ts';

const key = new Uint8Array(KEY_BYTES);
const hash = new Uint8Array(KEY_BYTES);
const signed = new Uint8Array(SIGNED_BYTES);
const signature = new Uint8Array(SIGNATURE_BYTES);
const owner = new Uint8Array(KEY_BYTES);
const providerValue = new ProviderValueView();

/** Writes the BLAKE3 of the value: computed where the value is inside, else the declared one. */
export function recordValueHash(
  view: RecordView,
  bytes: Uint8Array,
  out: Uint8Array,
  outOffset: number,
): void {
  if (view.hasValue) blake3Into(out, outOffset, bytes, Math.max(view.valueOffset, 0), view.valueLength);
  else copyBytes(out, outOffset, bytes, view.valueHashOffset, KEY_BYTES);
}

/**
 * Checks key binding and signature of a record; writes the value's hash to `hashOut` (also useful for equivocation).
 * Of a detached record this proves the envelope: the bytes are checked by `verifyValue` once they are here.
 * Returns `TAKEN`, or `WireDrop.KEY`, `SIGNATURE`, or a structural code of a provider's value.
 */
export function verifyRecord(
  view: RecordView,
  bytes: Uint8Array,
  curves: Curves,
  hashOut: Uint8Array = hash,
  hashOutOffset = 0,
): Verdict {
  if (view.keyOffset < 0) return WireDrop.MISSING;
  return verifyUnder(view, bytes, curves, bytes, view.keyOffset, hashOut, hashOutOffset);
}

/** `verifyRecord` for a provider that came without its key in the answer for `contentKey`. */
export function verifyProvider(
  view: RecordView,
  bytes: Uint8Array,
  curves: Curves,
  contentKey: Uint8Array,
  contentKeyOffset: number,
): Verdict {
  if (view.type !== RecordType.PROVIDER || view.keyOffset >= 0) return WireDrop.INCONSISTENT;
  return verifyUnder(view, bytes, curves, contentKey, contentKeyOffset, hash, 0);
}

/** Checks pulled bytes against the detached record they belong to. */
export function verifyValue(
  view: RecordView,
  bytes: Uint8Array,
  value: Uint8Array,
  valueOffset: number,
  valueLength: number,
): Verdict {
  if (view.hasValue || valueLength !== view.declaredValueLength) return WireDrop.VALUE;
  blake3Into(hash, 0, value, valueOffset, valueLength);
  return equalBytes(hash, 0, bytes, view.valueHashOffset, KEY_BYTES) ? TAKEN : WireDrop.VALUE;
}

function verifyUnder(
  view: RecordView,
  bytes: Uint8Array,
  curves: Curves,
  keyBytes: Uint8Array,
  keyOffset: number,
  hashOut: Uint8Array,
  hashOutOffset: number,
): Verdict {
  recordValueHash(view, bytes, hashOut, hashOutOffset);
  if (view.type === RecordType.IMMUTABLE) {
    return equalBytes(hashOut, hashOutOffset, keyBytes, keyOffset, KEY_BYTES) ? TAKEN : WireDrop.KEY;
  }
  if (view.type === RecordType.MUTABLE) {
    mutableKeyInto(
      key,
      0,
      bytes,
      view.ownerOffset,
      bytes,
      view.namespaceOffset,
      view.namespaceLength,
      bytes,
      view.saltOffset,
      view.saltLength,
    );
    if (!equalBytes(key, 0, keyBytes, keyOffset, KEY_BYTES)) return WireDrop.KEY;
  } else {
    const verdict = readProviderValue(bytes, view.valueOffset, view.valueLength, providerValue);
    if (verdict < 0) return verdict;
  }
  signedBytesInto(
    signed,
    0,
    view.type,
    keyBytes,
    keyOffset,
    view.sequence,
    view.ttlSecs,
    view.notBeforeUnix,
    view.flags,
    hashOut,
    hashOutOffset,
  );
  copyBytes(signature, 0, bytes, view.signatureOffset, SIGNATURE_BYTES);
  copyBytes(owner, 0, bytes, view.ownerOffset, KEY_BYTES);
  return curves.ed25519Verify(signature, signed, owner) ? TAKEN : WireDrop.SIGNATURE;
}

/** Which of two verified records of one key and owner wins; see `compareRecords`. */
export const RecordOrder = {
  /** The first has the lower sequence. */
  OLDER: -2,
  /** Equivocation: same sequence, other content; the second wins. */
  EQUIVOCATION_LOSES: -1,
  /** The same content under the same sequence. */
  SAME: 0,
  /** Equivocation: same sequence, other content; the first wins. */
  EQUIVOCATION_WINS: 1,
  /** The first has the higher sequence. */
  NEWER: 2,
} as const;
export type RecordOrder = (typeof RecordOrder)[keyof typeof RecordOrder];

/**
 * Orders two verified records of one key and owner, the same on every node: by sequence; then the larger value hash
 * wins, then the larger flags (a tombstone beats an empty value), then the later not_before. Another ttl alone is the
 * same content.
 */
export function compareRecords(
  a: RecordView,
  aHash: Uint8Array,
  aHashOffset: number,
  b: RecordView,
  bHash: Uint8Array,
  bHashOffset: number,
): RecordOrder {
  if (a.sequence !== b.sequence) return a.sequence < b.sequence ? RecordOrder.OLDER : RecordOrder.NEWER;
  let difference = compareHashes(aHash, aHashOffset, bHash, bHashOffset);
  if (difference === 0) difference = a.flags - b.flags;
  if (difference === 0) difference = a.notBeforeUnix - b.notBeforeUnix;
  if (difference === 0) return RecordOrder.SAME;
  return difference < 0 ? RecordOrder.EQUIVOCATION_LOSES : RecordOrder.EQUIVOCATION_WINS;
}

/** Orders two hashes as big-endian numbers: negative when `a` is smaller. */
export function compareHashes(a: Uint8Array, aOffset: number, b: Uint8Array, bOffset: number): number {
  for (let index = 0; index < KEY_BYTES; index++) {
    const difference = (a[aOffset + index] as number) - (b[bOffset + index] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}
