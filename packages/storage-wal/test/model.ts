/** What a store must hold: every state of every key since it was last known to be durable. */
import { type Rng, randomBelow } from '@molia/core';
import { type KeyedStore, NEVER_UNIX, openKeyedStore, StoreEntry, type StoreReport } from '../src/index.ts';
import { run, SimDisk } from './sim-disk.ts';

interface State {
  /** It is durable when the store's `durable` is at least this. */
  readonly ticket: number;
  /** `undefined`: not held. */
  readonly value: Uint8Array | undefined;
  readonly expires: number;
}

const KEYS = 60;
const GONE: State = { ticket: 0, value: undefined, expires: 0 };

export interface ModelOptions {
  readonly segmentBytes?: number;
  readonly bytesMax?: number;
  readonly valueBytesMax?: number;
}

/** A store on a simulated disk, random work on it, crashes, and the comparison after each. */
export class Model {
  store!: KeyedStore;
  disk: SimDisk;
  now = 0;
  nowUnix = 1_000;
  reports: StoreReport[] = [];
  private readonly rng: Rng;
  private readonly options: ModelOptions;
  private states = new Map<string, State[]>();
  private readonly entry = new StoreEntry();
  private counter = 0;

  constructor(rng: Rng, options: ModelOptions = {}) {
    this.rng = rng;
    this.options = options;
    this.disk = new SimDisk(rng);
    this.open();
  }

  open(): void {
    this.store = openKeyedStore({
      disk: this.disk,
      rng: this.rng,
      nowUnix: this.nowUnix,
      segmentBytes: this.options.segmentBytes ?? 192 * 1024,
      ...(this.options.bytesMax === undefined ? {} : { bytesMax: this.options.bytesMax }),
      cacheBytes: 2 ** 21,
      pendingBytesMax: 2 ** 23,
    });
    this.store.expire(this.nowUnix, 1e6);
    this.store.onDrop = (slot) => {
      const { rows } = this.store;
      const key = Buffer.from(rows.keys.buffer, rows.keys.byteOffset + slot * 32, 32).toString('hex');
      // The frame that says so, if there is one, ends here at the latest.
      this.push(key, { ticket: this.store.ticket, value: undefined, expires: 0 });
    };
    for (let report = this.store.pollReport(); report; report = this.store.pollReport())
      this.reports.push(report);
  }

  /** One random step: a put, a removal, a touch, time, or the disk's turn. */
  step(): void {
    const { rng, store } = this;
    const dice = randomBelow(rng, 20);
    if (dice < 9) this.put();
    else if (dice < 11) this.remove();
    else if (dice < 13) this.touch();
    else if (dice === 13) {
      this.nowUnix += randomBelow(rng, 20);
      store.expire(this.nowUnix, 10);
    } else if (dice === 14) {
      if (randomBelow(rng, 8) === 0) store.wantSnapshot();
      else store.flush();
    } else {
      this.now += randomBelow(rng, 40);
      run(store, this.disk, this.now, 1 + randomBelow(rng, 6));
    }
  }

  /** Lets the disk do all it has to, time included. */
  settle(): void {
    this.store.flush();
    for (let i = 0; i < 10_000 && !this.store.isSettled; i++) {
      this.now += 1_000;
      run(this.store, this.disk, this.now);
    }
    if (!this.store.isSettled) throw new Error('does not settle');
  }

  crash(): void {
    const { durable } = this.store;
    this.disk.crash();
    for (const list of this.states.values()) {
      const last = list.findLastIndex(({ ticket }) => ticket <= durable);
      if (last > 0) list.splice(0, last);
    }
    this.open();
  }

  /** Every key is as some state says that may have survived; from now on that is its one state. Throws else. */
  verify(): void {
    const { store } = this;
    for (const [key, list] of this.states) {
      const slot = store.find(Buffer.from(key, 'hex'), 0);
      const value = slot < 0 ? undefined : this.read(slot);
      const expires = slot < 0 ? 0 : (store.rows.expiry.keys[slot] as number);
      const fits = list.some((state) => this.fits(state, value, expires));
      if (!fits) {
        const wanted = list.map((s) => `${text(s.value)} until ${s.expires}`).join(' | ');
        throw new Error(`${key.slice(0, 4)}: found ${text(value)} until ${expires}, wanted ${wanted}`);
      }
      this.states.set(key, [{ ticket: 0, value, expires }]);
    }
    for (let slot = 0; slot < store.rows.capacity; slot++) {
      if (store.rows.length[slot] === 0) continue;
      const key = Buffer.from(store.rows.keys.slice(slot * 32, slot * 32 + 32)).toString('hex');
      if (!this.states.has(key)) throw new Error(`invented ${key}`);
    }
  }

  read(slot: number): Uint8Array {
    const at = this.store.load(slot);
    if (at < 0) throw new Error('unreadable');
    return this.store.loaded.slice(at, at + this.store.valueLength(slot));
  }

  get count(): number {
    return [...this.states.values()].filter((list) => list.at(-1)?.value !== undefined).length;
  }

  put(index = randomBelow(this.rng, KEYS)): number {
    const { entry, rng, store } = this;
    const length = 1 + randomBelow(rng, this.options.valueBytesMax ?? 4_000);
    const value = new Uint8Array(length);
    rng.fill(value, 0, Math.min(length, 40));
    value.set(Buffer.from(`${this.counter++} `.slice(0, length)));
    entry.key = keyOf(index);
    entry.value = value;
    entry.valueLength = length;
    entry.expiresUnix = randomBelow(rng, 3) === 0 ? NEVER_UNIX : this.nowUnix + randomBelow(rng, 200);
    entry.rank = randomBelow(rng, 1000);
    entry.tag = -7;
    entry.link = 1 + (index % 5);
    const verdict = store.put(entry);
    if (verdict >= 0) {
      this.push(hexOf(index), { ticket: store.ticket, value, expires: entry.expiresUnix });
      const slot = store.find(entry.key, 0);
      if (slot < 0 || Buffer.compare(this.read(slot), value) !== 0)
        throw new Error(`${hexOf(index).slice(0, 4)}: put, and not there`);
    }
    return verdict;
  }

  private remove(): void {
    const slot = this.store.find(keyOf(randomBelow(this.rng, KEYS)), 0);
    if (slot >= 0) this.store.remove(slot);
  }

  private touch(): void {
    const { entry, rng, store } = this;
    const index = randomBelow(rng, KEYS);
    const slot = store.find(keyOf(index), 0);
    if (slot < 0) return;
    entry.expiresUnix = this.nowUnix + randomBelow(rng, 300);
    entry.rank = 5;
    if (!store.touch(slot, entry, false)) return;
    const before = this.states.get(hexOf(index))?.at(-1) ?? GONE;
    this.push(hexOf(index), { ...before, ticket: store.ticket, expires: entry.expiresUnix });
  }

  private push(key: string, state: State): void {
    const list = this.states.get(key) ?? [GONE];
    list.push(state);
    this.states.set(key, list);
  }

  private fits(state: State, value: Uint8Array | undefined, expires: number): boolean {
    if (value === undefined) return state.value === undefined || state.expires <= this.nowUnix;
    if (state.value === undefined || state.value.length !== value.length) return false;
    return state.expires === expires && Buffer.compare(state.value, value) === 0;
  }
}

function keyOf(index: number): Uint8Array {
  const key = new Uint8Array(32).fill(index);
  key[0] = index * 37;
  return key;
}

const hexOf = (index: number): string => Buffer.from(keyOf(index)).toString('hex');

function text(value: Uint8Array | undefined): string {
  return value === undefined
    ? 'nothing'
    : `${value.length} B (${Buffer.from(value.subarray(0, 6)).toString('latin1')})`;
}
