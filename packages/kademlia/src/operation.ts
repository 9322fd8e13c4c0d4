/** Operations: what `findNode`, `store` and the rest are while they run. A slab of reused objects behind handles. */
import { assert, HandleTable, type Millis, NONE, TimerTable } from '@molia/core';
import { RecordForm, RecordView } from '@molia/wire';
import { OPERATIONS_IDLE_MIN, STORE_TARGETS_MAX } from './constants.ts';
import type { Contacts } from './contacts.ts';
import { Lookup } from './lookup.ts';
import type { Op, Tuning } from './types.ts';

export const OpKind = {
  FIND_NODE: 1,
  FIND_VALUE: 2,
  FIND_PROVIDERS: 3,
  STORE: 4,
  PING: 5,
  /** A lookup of our own id. */
  BOOTSTRAP: 6,
  /** The engine's own: a lookup that refreshes a bucket. Reports nothing. */
  REFRESH: 7,
  /** One FIND_NODE to one given node. */
  ASK: 8,
} as const;

/** Whether an operation is a single request to a given node. */
export function isSingle(kind: number): boolean {
  return kind === OpKind.PING || kind === OpKind.ASK;
}

export const Phase = {
  LOOKUP: 0,
  /** The lookup settled; pages or a pull are still coming. */
  DRAINING: 1,
  /** The lookup of a store settled: all its targets are known. */
  STORING: 2,
  ENDED: 3,
} as const;

/** In a request's `extras`: the node asked is to name its own neighbours, not those of the target. */
export const OWN_NEIGHBOURS = -1;

const NO_BYTES = new Uint8Array(0);
const NO_ROWS = new Int32Array(0);
const NO_SEQUENCES = new Float64Array(0);

export class Operation {
  handle: Op = NONE;
  kind = 0;
  phase = 0;
  /** Reports no events. */
  silent = false;
  startedAt: Millis = 0;
  deadlineAt: Millis = 0;
  readonly lookup: Lookup;
  /** A PROGRESS event waits in the queue. */
  progressQueued = false;

  /** Reading: the best record so far, encoded; empty = none. */
  best: Uint8Array = NO_BYTES;
  readonly bestView = new RecordView();
  readonly bestHash = new Uint8Array(32);
  /** Nodes that held it, or providers found. */
  found = 0;
  /** Holders showed verified records that are not the same. */
  disagreed = false;
  /** Holders that showed a record which does not verify. */
  liars = 0;
  sequenceMin = 0;
  all = false;
  /** Asks the 2 K closest, whoever was silent lately among them. */
  wide = false;
  /** Only an envelope is wanted. */
  head = false;
  /** Row (held) of who showed the envelope that was wanted; NONE = nobody, or ourselves. */
  holder = NONE;
  /** Pull in progress, NONE = none. */
  pull = NONE;
  /** RecordType of what is pulled. */
  pullType = 0;
  /** The detached record that is pulled, and who else has it. */
  envelope: Uint8Array = NO_BYTES;
  readonly envelopeHash = new Uint8Array(32);
  alternates: number[] = [];
  /** Provider owners seen, as text, with their sequence. */
  owners: Map<string, number> | undefined = undefined;
  providersMax = 0;
  /** Requests in flight beside the shortlist's: further pages of providers, nodes asked for their own neighbours. */
  pages = 0;
  /** Nodes asked for their own neighbours. */
  edges = 0;

  /** Writing: the record, encoded with its value inside. */
  record: Uint8Array = NO_BYTES;
  readonly view = new RecordView();
  readonly hash = new Uint8Array(32);
  form: RecordForm = RecordForm.WHOLE;
  /** Expected sequence, -1 = no compare-and-swap. */
  cas = -1;
  /** Seconds since its publisher stated it. */
  ageSecs = 0;
  own = false;
  /** Each target is told to hold it alone. */
  single = false;
  /** Store targets: contact rows (held) and what became of each. */
  targets = NO_ROWS;
  outcomes = NO_BYTES;
  heldSequences = NO_SEQUENCES;
  targetCount = 0;
  /** Ours included. */
  holders = 0;
  storing = 0;
  highest = 0;
  /** Outcome to report, by the store's answers. */
  refusal = 0;
  /** Nodes that hold something newer or other. */
  refusals = 0;
  /** The compare-and-swap was decided. */
  judged = false;
  doneReported = false;
  /** The event that ends the operation was queued; polling it frees the handle. */
  lastEvent = 0;

  constructor(contacts: Contacts, tuning: Tuning) {
    this.lookup = new Lookup(contacts, tuning);
  }

  /** Room for `STORE_TARGETS_MAX` targets; most operations never have any. */
  makeTargets(): void {
    if (this.targets.length > 0) return;
    this.targets = new Int32Array(STORE_TARGETS_MAX);
    this.outcomes = new Uint8Array(STORE_TARGETS_MAX);
    this.heldSequences = new Float64Array(STORE_TARGETS_MAX);
  }
}

export class Operations {
  readonly timers: TimerTable;
  /** Operations of the engine itself that run now. */
  background = 0;
  private readonly handles: HandleTable;
  /** By index of the handle. */
  private readonly slots: (Operation | undefined)[] = [];
  /** Objects for the next ones. */
  private readonly idle: Operation[] = [];
  private readonly contacts: Contacts;
  private readonly tuning: Tuning;

  constructor(contacts: Contacts, tuning: Tuning) {
    this.contacts = contacts;
    this.tuning = tuning;
    const initial = Math.min(16, tuning.operationsMax);
    this.timers = new TimerTable(initial);
    this.handles = new HandleTable(tuning.operationsMax, {
      initial,
      onGrow: (capacity) => this.timers.grow(capacity),
    });
  }

  get count(): number {
    return this.handles.count;
  }

  /** A fresh operation, or undefined when `operationsMax` run. */
  open(now: Millis, kind: number, budgetMs: Millis): Operation | undefined {
    const handle = this.handles.alloc();
    if (handle === NONE) return undefined;
    const index = this.handles.index(handle);
    const op = this.idle.pop() ?? new Operation(this.contacts, this.tuning);
    while (this.slots.length <= index) this.slots.push(undefined);
    this.slots[index] = op;
    op.handle = handle;
    op.kind = kind;
    op.phase = Phase.LOOKUP;
    op.silent = false;
    op.startedAt = now;
    op.deadlineAt = now + budgetMs;
    op.progressQueued = false;
    op.found = 0;
    op.disagreed = false;
    op.liars = 0;
    op.sequenceMin = 0;
    op.all = false;
    op.wide = false;
    op.head = false;
    op.holder = NONE;
    op.pages = 0;
    op.edges = 0;
    op.pull = NONE;
    op.cas = -1;
    op.ageSecs = 0;
    op.own = false;
    op.single = false;
    op.targetCount = 0;
    op.holders = 0;
    op.storing = 0;
    op.highest = 0;
    op.refusal = 0;
    op.refusals = 0;
    op.judged = false;
    op.doneReported = false;
    op.lastEvent = 0;
    this.arm(op, op.deadlineAt);
    return op;
  }

  /** An operation of the engine's own, which reports nothing. */
  openSilent(now: Millis, kind: number, budgetMs: Millis): Operation | undefined {
    const op = this.open(now, kind, budgetMs);
    if (op === undefined) return undefined;
    op.silent = true;
    this.background++;
    return op;
  }

  /** The running operation of a handle, or undefined. */
  get(handle: Op): Operation | undefined {
    const index = this.handles.index(handle);
    return index === NONE ? undefined : this.slots[index];
  }

  disarm(op: Operation): void {
    this.timers.clear(this.handles.index(op.handle));
  }

  arm(op: Operation, at: Millis): void {
    this.timers.set(this.handles.index(op.handle), at);
  }

  /** An operation whose timer is due, or undefined. */
  expired(now: Millis): Operation | undefined {
    const index = this.timers.expired(now);
    return index === NONE ? undefined : this.slots[index];
  }

  /** Frees the handle and lets go of everything. */
  close(op: Operation): void {
    const index = this.handles.index(op.handle);
    assert(index !== NONE, 'an operation is closed once');
    this.timers.clear(index);
    this.handles.free(op.handle);
    this.slots[index] = undefined;
    // As many as run are kept, so that steady load allocates nothing and a burst does not stay for ever.
    if (this.idle.length < OPERATIONS_IDLE_MIN + this.handles.count) this.idle.push(op);
    if (op.silent) this.background--;
    op.lookup.clear();
    for (let i = 0; i < op.targetCount; i++) this.contacts.release(op.targets[i] as number);
    op.targetCount = 0;
    if (op.holder !== NONE) this.contacts.release(op.holder);
    op.holder = NONE;
    op.best = NO_BYTES;
    op.envelope = NO_BYTES;
    op.record = NO_BYTES;
    op.owners = undefined;
    if (op.alternates.length > 0) op.alternates = [];
    op.phase = Phase.ENDED;
  }
}
