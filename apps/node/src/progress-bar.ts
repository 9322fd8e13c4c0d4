/** A progress bar on a terminal's stderr; silent elsewhere. */
import { humanBytes } from './output.ts';

/** Redrawn no more often than this. */
const FRAME_MS = 100;
const BAR_CELLS = 24;

export interface BarState {
  readonly bytes: number;
  /** `undefined`: not known, as of a pipe. */
  readonly bytesTotal: number | undefined;
  readonly elapsedMs: number;
}

/** One line: `[#####…] 42 %  12 MiB of 29 MiB  3.1 MiB/s`. */
export function barLine({ bytes, bytesTotal, elapsedMs }: BarState): string {
  const rate = elapsedMs > 0 ? `  ${humanBytes((bytes / elapsedMs) * 1000)}/s` : '';
  if (bytesTotal === undefined) return `${humanBytes(bytes)}${rate}`;
  const share = bytesTotal === 0 ? 1 : Math.min(1, bytes / bytesTotal);
  const cells = Math.round(share * BAR_CELLS);
  const bar = '#'.repeat(cells).padEnd(BAR_CELLS, '.');
  return `[${bar}] ${Math.floor(share * 100)} %  ${humanBytes(bytes)} of ${humanBytes(bytesTotal)}${rate}`;
}

export class ProgressBar {
  readonly #stream: Pick<NodeJS.WriteStream, 'isTTY' | 'write'>;
  readonly #on: boolean;
  #drawnAt = Number.NEGATIVE_INFINITY;

  /** `quiet`: draws nothing even on a terminal. */
  constructor(quiet: boolean, stream: Pick<NodeJS.WriteStream, 'isTTY' | 'write'> = process.stderr) {
    this.#stream = stream;
    this.#on = stream.isTTY === true && !quiet;
  }

  draw(state: BarState): void {
    if (!this.#on) return;
    const now = performance.now();
    if (now - this.#drawnAt < FRAME_MS && state.bytes !== state.bytesTotal) return;
    this.#drawnAt = now;
    this.#stream.write(`\r\x1b[K${barLine(state)}`);
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#on) this.#stream.write('\r\x1b[K');
  }
}
