/** First signal: stop gracefully. Second: out at once. */

/** How long a process that has closed everything may linger before it is ended. */
const LINGER_MS_MAX = 1000;

export interface Stopping {
  readonly signal: AbortSignal;
  /** Resolves at the first signal. */
  readonly requested: Promise<void>;
  /** Everything is closed: the process ends by itself, or is ended soon. */
  done(): void;
}

export function stopSignal(): Stopping {
  const controller = new AbortController();
  const requested = new Promise<void>((resolve) => {
    controller.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  for (const [name, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
    ['SIGHUP', 1],
  ] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(128 + number);
      controller.abort();
    });
  }
  return {
    signal: controller.signal,
    requested,
    done() {
      setTimeout(() => process.exit(), LINGER_MS_MAX).unref();
    },
  };
}
