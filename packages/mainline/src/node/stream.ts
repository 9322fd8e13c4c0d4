/** Events of one operation as an async iterator with a bounded queue. */

/** Items that wait for a slow reader; older ones go first. */
const QUEUE_MAX = 4096;

export class OperationStream<Item> implements AsyncIterableIterator<Item> {
  readonly #cancel: () => void;
  readonly #items: Item[] = [];
  #waiting: { resolve(result: IteratorResult<Item>): void; reject(reason: unknown): void }[] = [];
  #ended = false;
  #reason: unknown;

  /** `cancel` runs when the reader leaves before the end. */
  constructor(cancel: () => void) {
    this.#cancel = cancel;
  }

  push(item: Item): void {
    if (this.#ended) return;
    const reader = this.#waiting.shift();
    if (reader !== undefined) reader.resolve({ done: false, value: item });
    else {
      if (this.#items.length === QUEUE_MAX) this.#items.shift();
      this.#items.push(item);
    }
  }

  /** No more items; with a reason, the reader's next call rejects. */
  end(reason?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#reason = reason;
    for (const reader of this.#waiting) {
      if (reason === undefined) reader.resolve({ done: true, value: undefined });
      else reader.reject(reason);
    }
    this.#waiting = [];
  }

  next(): Promise<IteratorResult<Item>> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve({ done: false, value: item });
    if (!this.#ended)
      return new Promise((resolve, reject) => {
        this.#waiting.push({ resolve, reject });
      });
    const reason = this.#reason;
    this.#reason = undefined;
    return reason === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(reason);
  }

  return(): Promise<IteratorResult<Item>> {
    if (!this.#ended) this.#cancel();
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
