/**
 * The record book: the rules above the store (docs/spec/records.md). It verifies, clamps lifetimes, applies
 * the sequence rule, compare-and-swap, the equivocation rule, tombstones, `not_before` and quotas, keeps the node's
 * own records alive and says what is to be republished. It never throws on a record from the network.
 *
 * Lifetimes: a record lives min(ttl, 24 h) from when its publisher last stated it. A steward that hands it on says
 * how old its copy is (`ageSecs`), so a record whose publisher is gone ends with its TTL however often it was
 * republished. Of records with one key (and owner) every node keeps the same one, whatever the order of arrival:
 * the highest sequence, then the largest value hash, flags, `not_before` (wire's `compareRecords`), then the longest ttl.
 */
import {
  type Counters,
  type Curves,
  createCounters,
  equalBytes,
  IDLE,
  type Millis,
  type Rng,
  resolveOptions,
  type Verdict,
} from '@molia/core';
import {
  attachedRecordBytes,
  compareHashes,
  KEY_BYTES,
  RECORD_BYTES_MAX,
  RecordFlag,
  RecordForm,
  RecordType,
  RecordView,
  readRecord,
  recordBytes,
  recordValueHash,
  verifyRecord,
  WireDrop,
  writeAttachedRecord,
  writeRecord,
} from '@molia/wire';
import { Accounts } from './accounts.ts';
import {
  ACCOUNT_SHARE_MAX,
  EXPIRE_BATCH,
  OWN_EXPIRES_UNIX,
  PIN_BYTES_MAX,
  PINS_MAX,
  STEWARD_TURN,
  TTL_SECS_MAX,
} from './constants.ts';
import { expiresUnix, lifeSecs, republishUnix } from './lifetimes.ts';
import { Pins } from './pins.ts';
import {
  AcceptRequest,
  EXPIRED_COUNTER,
  FindVerdict,
  findCounter,
  PINNED_COUNTER,
  RECORD_COUNTERS,
  REPUBLISHED_OWN_COUNTER,
  REPUBLISHED_STEWARD_COUNTER,
  RecordVerdict,
  SERVED_COUNTER,
  verdictCounter,
} from './record-verdicts.ts';
import { PutVerdict, RecordMark, type RecordStore, StoredRecord } from './store-port.ts';

export interface RecordBookOptions {
  readonly store: RecordStore;
  readonly curves: Curves;
  readonly rng: Rng;
  /** Unix milliseconds at now = 0. */
  readonly wallMsAtZero: number;
  /** Part of the store's bytes and records that one publisher may use. */
  readonly accountShareMax?: number;
  readonly pinBytesMax?: number;
}

/** A record to send out again, from `nextRepublish`; one reused object. */
export class Republish {
  /** Borrowed like every read; a provider record goes out as ANNOUNCE_PROVIDER. */
  readonly record: StoredRecord = new StoredRecord();
  own = false;
  /** For the receiver: how long ago the publisher last stated it; 0 for own records. */
  ageSecs = 0;
}

const FROM_OURSELVES = new AcceptRequest();
const NO_OWNER = new Uint8Array(KEY_BYTES);
/** Records in canonical form, with their value put back: one for all books of a thread, nothing of it outlives a call. */
const scratch = new Uint8Array(RECORD_BYTES_MAX);
/** No `RecordMark`. */
const REGULAR = 0;
/** Of `judgeUnverified`: the signature decides. */
const UNDECIDED = -1000;
/** Of `compareHeld`: a higher sequence, or nothing was held. */
const NEWER = 2;

const DEFAULTS = Object.freeze({
  accountShareMax: ACCOUNT_SHARE_MAX as number,
  pinBytesMax: PIN_BYTES_MAX as number,
});

export class RecordBook {
  /** By `RecordVerdict`, then reads, expiry, republication. */
  readonly counters: Counters = createCounters(RECORD_COUNTERS);
  /** After `accept`, `acceptValue`, `publish`: the sequence held now, 0 = none (for STORE_RESPONSE). */
  heldSequence = 0;
  /** After INVALID or BAD_SIGNATURE: wire's verdict. */
  wireVerdict: Verdict = 0;

  private readonly store: RecordStore;
  private readonly curves: Curves;
  private readonly rng: Rng;
  private readonly wallMsAtZero: number;
  private readonly accounts: Accounts;
  private readonly pins: Pins;
  private readonly accountBytesMax: number;
  private readonly accountCountMax: number;
  private readonly view = new RecordView();
  private readonly hash = new Uint8Array(KEY_BYTES);
  private readonly entry = new StoredRecord();
  private readonly held = new StoredRecord();

  /** Throws TypeError or RangeError. */
  constructor(options: RecordBookOptions) {
    const { store, curves, rng, wallMsAtZero, ...limits } = options;
    const { accountShareMax, pinBytesMax } = resolveOptions('record book', DEFAULTS, limits);
    if (!(accountShareMax > 0 && accountShareMax <= 1)) {
      throw new RangeError(`accountShareMax must be above 0 and at most 1, not ${accountShareMax}`);
    }
    this.store = store;
    this.curves = curves;
    this.rng = rng;
    this.wallMsAtZero = wallMsAtZero;
    this.accounts = new Accounts(rng);
    this.pins = new Pins(rng, PINS_MAX, pinBytesMax);
    const { bytesMax, countMax } = store.stats();
    this.accountBytesMax = bytesMax * accountShareMax;
    this.accountCountMax = Math.max(1, countMax * accountShareMax);
  }

  /** Unix seconds. */
  unix(now: Millis): number {
    return Math.floor((this.wallMsAtZero + now) / 1000);
  }

  /**
   * A record from the network (STORE, ANNOUNCE_PROVIDER, a read that is cached), encoded, inline or detached.
   * Borrowed bytes; never throws; returns a `RecordVerdict`.
   */
  accept(now: Millis, bytes: Uint8Array, offset: number, length: number, request: AcceptRequest): Verdict {
    return this.settle(this.acceptAny(now, bytes, offset, length, request, REGULAR));
  }

  /** The second half of PULL: the detached record again, and the value that was pulled. */
  acceptValue(
    now: Millis,
    bytes: Uint8Array,
    offset: number,
    length: number,
    value: Uint8Array,
    valueOffset: number,
    valueLength: number,
    request: AcceptRequest,
  ): Verdict {
    const view = this.view;
    const refused = readRecord(bytes, offset, length, view);
    if (refused < 0) return this.settle(this.invalid(refused));
    if (view.hasValue || view.declaredValueLength !== valueLength) {
      return this.settle(this.invalid(WireDrop.VALUE));
    }
    const whole = attachedRecordBytes(view);
    if (whole > RECORD_BYTES_MAX) return this.settle(RecordVerdict.TOO_LARGE);
    writeAttachedRecord(scratch, 0, bytes, view, value, valueOffset);
    return this.settle(this.acceptAny(now, scratch, 0, whole, request, REGULAR));
  }

  /**
   * One of our own: kept until `unpublish`, refreshed at TTL/2, served to pullers, never evicted. A tombstone is
   * kept and refreshed for its own life only.
   */
  publish(now: Millis, bytes: Uint8Array, offset: number, length: number, request?: AcceptRequest): Verdict {
    const how = request ?? FROM_OURSELVES;
    return this.settle(this.acceptAny(now, bytes, offset, length, how, RecordMark.OWN));
  }

  /**
   * Stops refreshing an own record (a provider record: with its owner); it lives on as a normal one until it expires.
   * `false`: no such own record.
   */
  unpublish(now: Millis, key: Uint8Array, keyOffset: number, owner?: Uint8Array, ownerOffset = 0): boolean {
    const held = this.held;
    const found =
      owner === undefined
        ? this.store.get(key, keyOffset, held)
        : this.store.getProvider(key, keyOffset, owner, ownerOffset, held);
    if (!found || (held.marks & RecordMark.OWN) === 0) return false;
    held.marks &= ~RecordMark.OWN;
    const nowUnix = this.unix(now);
    if (held.expiresUnix === OWN_EXPIRES_UNIX)
      held.expiresUnix = nowUnix + Math.min(held.ttlSecs, TTL_SECS_MAX);
    held.republishUnix = 0;
    return this.store.update(held);
  }

  /** A read of an immutable or mutable record; `FindVerdict`. No allocation. */
  find(now: Millis, key: Uint8Array, keyOffset: number, out: StoredRecord): Verdict {
    let verdict: Verdict = FindVerdict.NOT_FOUND;
    const nowUnix = this.unix(now);
    if (this.store.get(key, keyOffset, out) && out.expiresUnix > nowUnix) {
      if (out.notBeforeUnix > nowUnix) verdict = FindVerdict.NOT_YET;
      else verdict = (out.flags & RecordFlag.TOMBSTONE) === 0 ? FindVerdict.FOUND : FindVerdict.DELETED;
    }
    this.counters.add(findCounter(verdict), 1);
    return verdict;
  }

  /** Providers of a key that may be returned now, oldest first, from the `skip`-th held on. No allocation. */
  firstProvider(now: Millis, key: Uint8Array, keyOffset: number, skip: number, out: StoredRecord): boolean {
    if (!this.store.firstProvider(key, keyOffset, skip, out)) return false;
    return this.isVisible(now, out) || this.nextProvider(now, out);
  }

  /** `false` = no more. The book must not change between the calls. */
  nextProvider(now: Millis, out: StoredRecord): boolean {
    while (this.store.nextProvider(out)) if (this.isVisible(now, out)) return true;
    return false;
  }

  /** Held providers of a key, those to come or just expired included. */
  providerCount(key: Uint8Array, keyOffset: number): number {
    return this.store.providerCount(key, keyOffset);
  }

  /**
   * Serves FETCH_CHUNK: the value with this hash, as `out.bytes` [valueOffset, valueOffset + valueLength). Values are
   * served before their `not_before` too: whoever asks by hash was told it by a STORE.
   */
  findValue(now: Millis, hash: Uint8Array, hashOffset: number, out: StoredRecord): boolean {
    const found =
      (this.store.getByHash(hash, hashOffset, out) && out.expiresUnix > this.unix(now)) ||
      this.pins.find(now, hash, hashOffset, out);
    if (found) this.counters.add(SERVED_COUNTER, 1);
    return found;
  }

  /** Keeps a value for pullers although no record of it is held (bounded; oldest goes first). Copies. */
  pin(now: Millis, value: Uint8Array, offset: number, length: number, forMs: number): boolean {
    if (!this.pins.add(value, offset, length, now + forMs)) return false;
    this.counters.add(PINNED_COUNTER, 1);
    return true;
  }

  /**
   * The next record due for republication; its schedule moves on whatever the caller does. `false` = none due. The
   * caller sends it where it belongs now; whether that is us is of no account.
   */
  nextRepublish(now: Millis, out: Republish): boolean {
    const nowUnix = this.unix(now);
    const record = out.record;
    // BOUNDED: by what is due; a due record always moves on.
    while (this.store.due(nowUnix, record)) {
      const own = (record.marks & RecordMark.OWN) !== 0;
      const gone = record.expiresUnix <= nowUnix;
      record.republishUnix = gone ? 0 : republishUnix(this.rng, nowUnix, record);
      this.store.update(record);
      if (gone) continue;
      out.own = own;
      out.ageSecs = own
        ? 0
        : Math.max(0, lifeSecs(record.flags, record.ttlSecs) - (record.expiresUnix - nowUnix));
      this.counters.add(own ? REPUBLISHED_OWN_COUNTER : REPUBLISHED_STEWARD_COUNTER, 1);
      return true;
    }
    return false;
  }

  /** Expires what is due, a bounded number at a time. */
  handleTimeout(now: Millis): void {
    const count = this.store.expire(this.unix(now), EXPIRE_BATCH);
    if (count > 0) this.counters.add(EXPIRED_COUNTER, count);
  }

  /** Until the next expiry or republication. */
  nextDelay(now: Millis): number {
    const expiry = this.store.nextExpiryUnix();
    const due = this.store.nextDueUnix();
    const next = expiry === 0 ? due : due === 0 ? expiry : Math.min(expiry, due);
    if (next === 0) return IDLE;
    return Math.min(IDLE, Math.max(0, next * 1000 - this.wallMsAtZero - now));
  }

  private isVisible(now: Millis, record: StoredRecord): boolean {
    const nowUnix = this.unix(now);
    return record.expiresUnix > nowUnix && record.notBeforeUnix <= nowUnix;
  }

  private settle(verdict: Verdict): Verdict {
    this.counters.add(verdictCounter(verdict), 1);
    return verdict;
  }

  private invalid(wireVerdict: Verdict): Verdict {
    this.wireVerdict = wireVerdict;
    if (wireVerdict === WireDrop.SIGNATURE) return RecordVerdict.BAD_SIGNATURE;
    return wireVerdict === WireDrop.TOO_LARGE ? RecordVerdict.TOO_LARGE : RecordVerdict.INVALID;
  }

  private acceptAny(
    now: Millis,
    bytes: Uint8Array,
    offset: number,
    length: number,
    request: AcceptRequest,
    mark: number,
  ): Verdict {
    const view = this.view;
    this.heldSequence = 0;
    const refused = readRecord(bytes, offset, length, view);
    if (refused < 0) return this.invalid(refused);
    const nowUnix = this.unix(now);
    const held = this.findHeld(view, bytes, nowUnix);
    if (held) this.heldSequence = this.held.sequence;
    const early = this.judgeUnverified(nowUnix, view, bytes, request, held, mark);
    if (early !== UNDECIDED) return early;
    const wire = verifyRecord(view, bytes, this.curves, this.hash, 0);
    if (wire < 0) return this.invalid(wire);
    const order = held ? this.compareHeld(view) : NEWER;
    if (order < 0) return this.loseTo();
    const account = this.accountOf(view, bytes, request);
    const extra = view.length + view.declaredValueLength - view.valueLength;
    if (mark === 0 && !this.hasQuota(account, extra, held)) return RecordVerdict.QUOTA;
    if (!view.hasValue) return RecordVerdict.PULL;
    return this.keep(nowUnix, bytes, request, held, order, account, mark);
  }

  /** Fills `this.held` with what lives under the record's identity. */
  private findHeld(view: RecordView, bytes: Uint8Array, nowUnix: number): boolean {
    const found =
      view.type === RecordType.PROVIDER
        ? this.store.getProvider(bytes, view.keyOffset, bytes, view.ownerOffset, this.held)
        : this.store.get(bytes, view.keyOffset, this.held);
    return found && this.held.expiresUnix > nowUnix;
  }

  /** Everything that needs no signature: cheap refusals, and the same record once more. */
  private judgeUnverified(
    nowUnix: number,
    view: RecordView,
    bytes: Uint8Array,
    request: AcceptRequest,
    held: boolean,
    mark: number,
  ): Verdict {
    if (view.type === RecordType.PROVIDER && request.peerKey !== undefined) {
      if (!equalBytes(request.peerKey, request.peerKeyOffset, bytes, view.ownerOffset, KEY_BYTES)) {
        return RecordVerdict.NOT_OWNER;
      }
    }
    const life = lifeSecs(view.flags, view.ttlSecs) - request.ageSecs;
    if (!(life > 0)) return RecordVerdict.EXPIRED;
    if (view.notBeforeUnix >= nowUnix + life) return RecordVerdict.TOO_EARLY;
    if (held && this.held.type !== view.type) return this.invalid(WireDrop.KEY);
    if (held && view.sequence === this.held.sequence) {
      recordValueHash(view, bytes, this.hash, 0);
      // Before compare-and-swap: a repeated STORE whose answer was lost is no mismatch.
      if (this.isHeldContent(view, bytes)) {
        if (view.ttlSecs > this.held.ttlSecs) return UNDECIDED;
        this.refresh(nowUnix, life, request, mark);
        return RecordVerdict.REFRESHED;
      }
    }
    if (request.cas && request.sequenceExpected !== this.heldSequence) return RecordVerdict.CAS_MISMATCH;
    return held && view.sequence < this.held.sequence ? RecordVerdict.STALE : UNDECIDED;
  }

  /** The same content and owner as `this.held`, ttl aside; `this.hash` is the value's. */
  private isHeldContent(view: RecordView, bytes: Uint8Array): boolean {
    const held = this.held;
    if (
      view.ownerOffset >= 0 &&
      !equalBytes(bytes, view.ownerOffset, held.owner, held.ownerOffset, KEY_BYTES)
    ) {
      return false;
    }
    return (
      view.flags === held.flags &&
      view.notBeforeUnix === held.notBeforeUnix &&
      equalBytes(this.hash, 0, held.hash, held.hashOffset, KEY_BYTES)
    );
  }

  /** `compareRecords` of wire against the held columns, and the longer ttl last: 2 newer, 1 wins, 0 same, < 0 loses. */
  private compareHeld(view: RecordView): number {
    const held = this.held;
    if (view.sequence > held.sequence) return NEWER;
    let difference = compareHashes(this.hash, 0, held.hash, held.hashOffset);
    if (difference === 0) difference = view.flags - held.flags;
    if (difference === 0) difference = view.notBeforeUnix - held.notBeforeUnix;
    return Math.sign(difference);
  }

  private loseTo(): Verdict {
    this.held.marks |= RecordMark.FLAGGED;
    this.store.update(this.held);
    return RecordVerdict.EQUIVOCATION_LOST;
  }

  /** The held record is stated again: a longer life, never a shorter one. */
  private refresh(nowUnix: number, life: number, request: AcceptRequest, mark: number): void {
    const held = this.held;
    const before = held.marks;
    if (mark !== 0 || !request.single) held.marks &= ~RecordMark.SINGLE;
    if (mark !== 0) held.marks = (held.marks | mark) & ~RecordMark.CACHED;
    else if (request.cacheSecs === 0) held.marks &= ~RecordMark.CACHED;
    const expires = expiresUnix(nowUnix, life, held.marks, held.flags, request.cacheSecs);
    // A steward that acts shortly before we would do so takes our turn, though its copy is no younger than ours.
    const regular = (held.marks & RecordMark.OWN) === 0 && held.republishUnix > 0;
    const turn = regular && held.republishUnix - nowUnix < held.ttlSecs * STEWARD_TURN;
    if (expires <= held.expiresUnix && held.marks === before && mark === 0 && !turn) return;
    held.expiresUnix = Math.max(expires, held.expiresUnix);
    held.republishUnix = republishUnix(this.rng, nowUnix, held);
    this.store.update(held);
  }

  private accountOf(view: RecordView, bytes: Uint8Array, request: AcceptRequest): number {
    if (view.ownerOffset >= 0) return this.accounts.of(bytes, view.ownerOffset);
    return request.peerKey === undefined ? 0 : this.accounts.of(request.peerKey, request.peerKeyOffset);
  }

  private hasQuota(account: number, length: number, held: boolean): boolean {
    const same = held && this.held.account === account;
    const bytes = this.store.accountBytes(account) + length - (same ? this.held.length : 0);
    const count = this.store.accountCount(account) + (same ? 0 : 1);
    return bytes <= this.accountBytesMax && count <= this.accountCountMax;
  }

  /** Puts the verified record of `this.view` into the store. */
  private keep(
    nowUnix: number,
    bytes: Uint8Array,
    request: AcceptRequest,
    held: boolean,
    order: number,
    account: number,
    mark: number,
  ): Verdict {
    const entry = this.entry;
    const view = this.view;
    const source = this.canonical(bytes);
    const equivocation = held && order === 1;
    const flagged = equivocation || (held && order === 0 && (this.held.marks & RecordMark.FLAGGED) !== 0);
    // What a read would cache replaces a regular copy as a regular one: we are among its holders.
    const cached =
      request.cacheSecs > 0 && mark === 0 && !(held && (this.held.marks & RecordMark.CACHED) === 0);
    const regular = held && (this.held.marks & RecordMark.SINGLE) === 0;
    describe(entry, view, source, this.hash);
    entry.marks = mark | (cached ? RecordMark.CACHED : 0) | (flagged ? RecordMark.FLAGGED : 0);
    if (request.single && mark === 0 && !regular) entry.marks |= RecordMark.SINGLE;
    entry.account = account;
    const life = lifeSecs(view.flags, view.ttlSecs) - request.ageSecs;
    entry.expiresUnix = expiresUnix(nowUnix, life, entry.marks, view.flags, request.cacheSecs);
    entry.republishUnix = republishUnix(this.rng, nowUnix, entry);
    const verdict = this.store.put(entry);
    if (verdict === PutVerdict.TOO_LARGE) return RecordVerdict.TOO_LARGE;
    if (verdict < 0) return RecordVerdict.FULL;
    this.heldSequence = view.sequence;
    if (held && order === 0) return RecordVerdict.REFRESHED;
    return equivocation ? RecordVerdict.EQUIVOCATION_WON : RecordVerdict.STORED;
  }

  /** The bytes to keep of `this.view`: as they came, or rewritten without the fields that nobody knows. */
  private canonical(bytes: Uint8Array): Uint8Array {
    const view = this.view;
    const length = recordBytes(view, RecordForm.WHOLE);
    if (length === view.length || bytes === scratch) return bytes;
    writeRecord(scratch, 0, bytes, view, RecordForm.WHOLE, this.hash, 0);
    readRecord(scratch, 0, length, view);
    return scratch;
  }
}

/** What a verified record says of itself, in the store's terms. */
function describe(entry: StoredRecord, view: RecordView, source: Uint8Array, hash: Uint8Array): void {
  entry.bytes = source;
  entry.offset = view.offset;
  entry.length = view.length;
  entry.valueOffset = view.valueLength === 0 ? view.offset : view.valueOffset;
  entry.valueLength = view.valueLength;
  entry.key = source;
  entry.keyOffset = view.keyOffset;
  entry.owner = view.ownerOffset < 0 ? NO_OWNER : source;
  entry.ownerOffset = Math.max(0, view.ownerOffset);
  entry.hash = hash;
  entry.hashOffset = 0;
  entry.type = view.type;
  entry.flags = view.flags;
  entry.sequence = view.sequence;
  entry.ttlSecs = view.ttlSecs;
  entry.notBeforeUnix = view.notBeforeUnix;
}
