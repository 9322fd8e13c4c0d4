/** What a store tells its operator: typed, bounded, never thrown. */
import { REPORTS_MAX } from './constants.ts';
import { DiskError } from './disk.ts';

export type StoreReportCode =
  /** A segment ended in the middle of a frame: a crash before those bytes were durable. Cut at the last whole frame. */
  | 'TORN_TAIL'
  /** Bytes inside a segment do not verify. All whole frames around them were kept. */
  | 'DAMAGED'
  /** A segment that should be there is not; its records are lost. */
  | 'MISSING_SEGMENT'
  /** The snapshot does not verify; all segments were read instead. */
  | 'SNAPSHOT_UNUSABLE'
  /** Records that the index knew and the segments no longer give back. */
  | 'RECORDS_LOST'
  /** No space left: puts are refused until there is. */
  | 'DISK_FULL'
  /** Nothing can be written: puts are refused. */
  | 'DISK_READ_ONLY'
  /** An operation failed; it is tried again. */
  | 'DISK_FAILED'
  /** What failed works again, and all that waited is written. */
  | 'DISK_RECOVERED'
  /** Puts were refused, or soft updates dropped, because the disk is slower than the writers. */
  | 'WRITER_BEHIND';

export interface StoreReport {
  readonly code: StoreReportCode;
  /** One sentence for people. */
  readonly message: string;
  /** Number of the file it is about, 0 = none in particular. */
  readonly file: number;
  /** Bytes or records, as the message says. */
  readonly amount: number;
}

export const StoreVerdict = {
  /** Held now, and nothing was held under that key before. */
  ADDED: 0,
  /** Held now, in place of what was. */
  REPLACED: 1,
  /** No room: all that is held ranks before it. */
  FULL: -1,
  /** Larger than any record may be. */
  TOO_LARGE: -2,
  /** The disk is behind, or fails: nothing is taken that may never be durable. */
  BUSY: -3,
} as const;

/** Reports that wait to be taken; the oldest make way. */
export class Reports {
  private readonly waiting: StoreReport[] = [];

  take(): StoreReport | undefined {
    return this.waiting.shift();
  }

  tell(code: StoreReportCode, message: string, file: number, amount: number): void {
    if (this.waiting.length >= REPORTS_MAX) this.waiting.shift();
    this.waiting.push({ code, message, file, amount });
  }

  tellDamage(file: number, bytes: number): void {
    this.tell('DAMAGED', `${bytes} bytes do not verify; what is whole around them was kept`, file, bytes);
  }

  /** `outcome`: a `DiskError` and how often in a row, or 0 when the disk works again. */
  tellDisk(outcome: number, failures: number): void {
    if (outcome === 0) this.tell('DISK_RECOVERED', 'the disk works again; all that waited is written', 0, 0);
    else if (failures > 1) return;
    else if (outcome === DiskError.FULL)
      this.tell('DISK_FULL', 'no space is left; writes are refused until there is', 0, 0);
    else if (outcome === DiskError.READ_ONLY)
      this.tell('DISK_READ_ONLY', 'the disk cannot be written; writes are refused', 0, 0);
    else this.tell('DISK_FAILED', 'the disk failed; it is tried again every second', 0, 0);
  }
}
