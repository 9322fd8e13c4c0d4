/**
 * Bodies of FIND_NODE_RESPONSE and FIND_VALUE_RESPONSE by offset: contacts, a record, providers. No allocation.
 */
import { TAKEN, type Verdict } from '@molia/core';
import {
  BODY_BYTES_MAX,
  CONTACTS_BESIDE_VALUE_MAX,
  CONTACTS_MAX,
  PROVIDERS_MAX,
  RecordType,
} from './constants.ts';
import { ContactList, contactBytes, readContact, writeContact } from './contacts.ts';
import { WireDrop } from './drops.ts';
import { BYTES, FIELD, ProtoReader, VARINT, varintBytes, writeNumberField, writeVarint } from './proto.ts';
import { RecordForm, RecordView, readRecord, recordBytes, writeRecord } from './record-view.ts';

const TAG_NODE_CONTACT = (1 << 3) | BYTES;
const TAG_RECORD = (1 << 3) | BYTES;
const TAG_VALUE_CONTACT = (2 << 3) | BYTES;
const TAG_PROVIDER = (3 << 3) | BYTES;
const TAG_PROVIDERS_TOTAL = (4 << 3) | VARINT;
/** Tag and the longest u32, kept free for `providers_total`. */
const PROVIDERS_TOTAL_BYTES = 6;

/**
 * Writes one answer: `beginFindNode`, `addContact`… , `end`; or `beginFindValue`, `addRecord`, `addContact`…,
 * `addProvider`…, `end`, in this order. Each `add` answers false, and writes nothing, when its entry would pass a limit
 * of the message; smaller entries may still fit. Reused; holds on to the buffer until the next `begin`.
 */
export class AnswerWriter {
  private bytes: Uint8Array = new Uint8Array(0);
  private offset = 0;
  private position = 0;
  private limit = 0;
  private contactTag = TAG_NODE_CONTACT;
  private contactsLeft = 0;
  private providersLeft = 0;

  /** `bodyBytesMax`: more than `BODY_BYTES_MAX` only on a path whose MTU was probed. */
  beginFindNode(bytes: Uint8Array, offset: number, bodyBytesMax: number = BODY_BYTES_MAX): void {
    this.begin(bytes, offset, bodyBytesMax, TAG_NODE_CONTACT, 0);
  }

  beginFindValue(bytes: Uint8Array, offset: number, bodyBytesMax: number = BODY_BYTES_MAX): void {
    this.begin(bytes, offset, bodyBytesMax - PROVIDERS_TOTAL_BYTES, TAG_VALUE_CONTACT, PROVIDERS_MAX);
  }

  /** `hash`: the value's BLAKE3, read only where `form` is DETACHED and the value is inside. */
  addRecord(
    source: Uint8Array,
    view: RecordView,
    form: RecordForm,
    hash: Uint8Array,
    hashOffset: number,
  ): boolean {
    if (!this.addNested(TAG_RECORD, source, view, form, hash, hashOffset)) return false;
    this.contactsLeft = CONTACTS_BESIDE_VALUE_MAX;
    return true;
  }

  /** `endpoint`: the 19-byte form. */
  addContact(key: Uint8Array, keyOffset: number, endpoint: Uint8Array, endpointOffset: number): boolean {
    const size = contactBytes(endpoint[endpointOffset] as number);
    if (this.contactsLeft === 0 || this.position + size > this.limit) return false;
    this.contactsLeft--;
    this.position = writeContact(
      this.bytes,
      this.position,
      this.contactTag,
      key,
      keyOffset,
      endpoint,
      endpointOffset,
    );
    return true;
  }

  /** Adds a provider record without its key. */
  addProvider(source: Uint8Array, view: RecordView): boolean {
    if (this.providersLeft === 0) return false;
    // A provider's value is always inside: no hash is read.
    if (!this.addNested(TAG_PROVIDER, source, view, RecordForm.KEYLESS, source, 0)) return false;
    this.providersLeft--;
    return true;
  }

  /** Closes the body and returns its length; `providersTotal` is for FIND_VALUE. */
  end(providersTotal = 0): number {
    if (providersTotal > 0) {
      this.position = writeNumberField(this.bytes, this.position, TAG_PROVIDERS_TOTAL, providersTotal | 0);
    }
    return this.position - this.offset;
  }

  private begin(
    bytes: Uint8Array,
    offset: number,
    room: number,
    contactTag: number,
    providers: number,
  ): void {
    this.bytes = bytes;
    this.offset = offset;
    this.position = offset;
    this.limit = offset + room;
    this.contactTag = contactTag;
    this.contactsLeft = CONTACTS_MAX;
    this.providersLeft = providers;
  }

  private addNested(
    tag: number,
    source: Uint8Array,
    view: RecordView,
    form: RecordForm,
    hash: Uint8Array,
    hashOffset: number,
  ): boolean {
    const size = recordBytes(view, form);
    if (this.position + 1 + varintBytes(size) + size > this.limit) return false;
    this.bytes[this.position] = tag;
    const at = writeVarint(this.bytes, this.position + 1, size);
    this.position = at + writeRecord(this.bytes, at, source, view, form, hash, hashOffset);
    return true;
  }
}

export class FindValueResponseView {
  hasRecord = false;
  readonly record = new RecordView();
  readonly contacts = new ContactList();
  /** How many of `providers` hold something; the rest is kept for the next answer. */
  providersCount = 0;
  /** Records of type PROVIDER without a key (theirs is the one that was asked for). */
  readonly providers: RecordView[] = [];
  /** How many providers the answerer holds. */
  providersTotal = 0;
}

const reader = new ProtoReader();

export function readFindNodeResponse(
  bytes: Uint8Array,
  offset: number,
  length: number,
  out: ContactList,
): Verdict {
  out.count = 0;
  reader.open(bytes, offset, length);
  let verdict = reader.next();
  for (; verdict === FIELD; verdict = reader.next()) {
    if (reader.tag !== TAG_NODE_CONTACT) continue;
    const refused = readContact(bytes, reader.offset, reader.length, out);
    if (refused < 0) return refused;
  }
  return verdict;
}

export function readFindValueResponse(
  bytes: Uint8Array,
  offset: number,
  length: number,
  out: FindValueResponseView,
): Verdict {
  out.hasRecord = false;
  out.contacts.count = 0;
  out.providersCount = 0;
  out.providersTotal = 0;
  reader.open(bytes, offset, length);
  let verdict = reader.next();
  for (; verdict === FIELD; verdict = reader.next()) {
    const refused = readFindValueField(bytes, out);
    if (refused < 0) return refused;
  }
  if (verdict < 0) return verdict;
  if (out.hasRecord && out.contacts.count > CONTACTS_BESIDE_VALUE_MAX) return WireDrop.TOO_MANY;
  return TAKEN;
}

function readFindValueField(bytes: Uint8Array, out: FindValueResponseView): Verdict {
  switch (reader.tag) {
    case TAG_RECORD:
      if (out.hasRecord) return WireDrop.DUPLICATE;
      out.hasRecord = true;
      return readRecord(bytes, reader.offset, reader.length, out.record);
    case TAG_VALUE_CONTACT:
      return readContact(bytes, reader.offset, reader.length, out.contacts);
    case TAG_PROVIDER:
      return readProvider(bytes, out);
    case TAG_PROVIDERS_TOTAL:
      out.providersTotal = reader.low >>> 0;
      return TAKEN;
    default:
      return TAKEN;
  }
}

function readProvider(bytes: Uint8Array, out: FindValueResponseView): Verdict {
  if (out.providersCount === PROVIDERS_MAX) return WireDrop.TOO_MANY;
  if (out.providersCount === out.providers.length) out.providers.push(new RecordView());
  const view = out.providers[out.providersCount] as RecordView;
  const refused = readRecord(bytes, reader.offset, reader.length, view, true);
  if (refused < 0) return refused;
  if (view.type !== RecordType.PROVIDER || view.keyOffset >= 0) return WireDrop.INCONSISTENT;
  out.providersCount++;
  return TAKEN;
}
