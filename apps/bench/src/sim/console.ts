/** What people see while a simulation runs: one line that changes on a terminal, plain lines elsewhere. */
import type { Progress } from './scenarios/index.ts';

/** Without a terminal: at most one line in this time, beside one for every new phase. */
const PLAIN_EVERY_MS = 15_000;

export class ProgressLine {
  readonly #out: NodeJS.WriteStream;
  #startedMs = performance.now();
  #who = '';
  #phase = '';
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  /** From now on lines begin with this. */
  begin(who: string): void {
    this.#who = who;
    this.#phase = '';
    this.#startedMs = performance.now();
  }

  tell(progress: Progress): void {
    const { phase, share, simulatedMs, events } = progress;
    const now = performance.now();
    if (!this.#out.isTTY && phase === this.#phase && now - this.#toldMs < PLAIN_EVERY_MS) return;
    this.#phase = phase;
    this.#toldMs = now;
    const rate = events / Math.max(1, (now - this.#startedMs) / 1000);
    this.write(
      `${this.#who}: ${phase} ${Math.round(share * 100)} %, ${clock(simulatedMs)} simulated, ${round(rate)} events/s`,
    );
  }

  write(line: string): void {
    this.#out.write(
      this.#out.isTTY ? `\r\x1b[K${line.slice(0, (this.#out.columns ?? 80) - 1)}` : `${line}\n`,
    );
  }

  /** Ends the line that changes. */
  end(line: string): void {
    this.#out.write(`${this.#out.isTTY ? '\r\x1b[K' : ''}${line}\n`);
  }
}

/** As hours, minutes and seconds. */
export function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h} h ${m} min` : m > 0 ? `${m} min ${s} s` : `${s} s`;
}

function round(rate: number): string {
  return rate >= 1e6
    ? `${(rate / 1e6).toFixed(1)} M`
    : rate >= 1e3
      ? `${Math.round(rate / 1e3)} k`
      : `${Math.round(rate)}`;
}
