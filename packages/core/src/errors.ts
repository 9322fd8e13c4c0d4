/**
 * The kinds of failure that may throw (CONTRIBUTING.md names four): a bug is an `AssertionError`, misuse a
 * `TypeError` or `RangeError`, a failed operation one `MoliaError`. Hostile input never throws: it is a `Verdict`.
 */

/** An operation failed for a reason outside the program: `code` for machines, `message` and `hint` for people. */
export class MoliaError<Code extends string = string> extends Error {
  /** One of the throwing package's own codes, stable across versions. */
  readonly code: Code;
  /** What the reader can do about it, when there is something. */
  readonly hint: string | undefined;

  constructor(code: Code, message: string, details: { cause?: unknown; hint?: string } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'MoliaError';
    this.code = code;
    this.hint = details.hint;
  }
}

/** A broken invariant of our own: only a shard's supervisor catches it. */
export class AssertionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'AssertionError';
  }
}

/** Throws `AssertionError` when `condition` is falsy. The message is a constant: build none on a hot path. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}
