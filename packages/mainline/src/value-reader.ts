/** Values out of answers: what is returned is verified, and newer than what was returned before. */
import { type Curves, equalBytes } from '@molia/core';
import { NODE_ID_BYTES, PUBLIC_KEY_BYTES, SIGNATURE_BYTES, STORED_VALUE_BYTES_MAX } from './constants.ts';
import { copyOf } from './copy.ts';
import { immutableTarget, type MutableItem, verifyItem } from './items.ts';
import type { KrpcMessage } from './krpc-read.ts';
import { type Operation, OpKind } from './operations.ts';

const NOTHING = new Uint8Array(0);

/** The item that an answer brings, or `undefined`: none, not newer than the operation's newest, or not genuine. */
export function itemIn(
  m: KrpcMessage,
  bytes: Uint8Array,
  operation: Operation,
  target: Uint8Array,
  curves: Curves,
): MutableItem | undefined {
  if (!m.valueStrict || m.valueLength > STORED_VALUE_BYTES_MAX) return undefined;
  if (operation.kind === OpKind.GET_IMMUTABLE) {
    const value = copyOf(bytes, m.valueAt, m.valueLength);
    if (!equalBytes(immutableTarget(value), 0, target, 0, NODE_ID_BYTES)) return undefined;
    return { key: NOTHING, salt: NOTHING, seq: 0n, signature: NOTHING, value };
  }
  const wanted = operation.item;
  if (wanted === undefined || wanted.key.length === 0) return undefined;
  if (m.keyAt < 0 || m.signatureAt < 0 || !m.hasSeq) return undefined;
  if (!equalBytes(bytes, m.keyAt, wanted.key, 0, PUBLIC_KEY_BYTES)) return undefined;
  const seq = (BigInt(m.seqHigh) << 32n) | BigInt(m.seqLow);
  if (operation.newerThan !== undefined && seq <= operation.newerThan) return undefined;
  const value = copyOf(bytes, m.valueAt, m.valueLength);
  const { newest } = operation;
  // Twenty copies of one item cost one verification.
  if (newest !== undefined && !isNewer(seq, value, newest)) return undefined;
  const signature = copyOf(bytes, m.signatureAt, SIGNATURE_BYTES);
  const item = { key: wanted.key, salt: wanted.salt, seq, signature, value };
  return verifyItem(item, curves) ? item : undefined;
}

/** By sequence number; of equal ones the larger bytes, so that all readers agree. */
function isNewer(seq: bigint, value: Uint8Array, than: MutableItem): boolean {
  if (seq !== than.seq) return seq > than.seq;
  const common = Math.min(value.length, than.value.length);
  for (let i = 0; i < common; i++) {
    const difference = (value[i] as number) - (than.value[i] as number);
    if (difference !== 0) return difference > 0;
  }
  return value.length > than.value.length;
}
