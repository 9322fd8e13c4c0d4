/** Collects what the suites measured: a table for people on stdout, one JSON file for machines. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

export interface Row {
  readonly name: string;
  readonly values: Readonly<Record<string, number>>;
  /** Every run behind the medians. */
  readonly runs?: readonly Readonly<Record<string, number>>[];
}

export class Report {
  readonly #tables: { title: string; rows: readonly Row[] }[] = [];
  readonly #command: string;

  constructor(command: string) {
    this.#command = command;
  }

  /** One line of what is under way, to stderr. */
  progress(line: string): void {
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
  }

  table(title: string, rows: readonly Row[]): void {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    this.#tables.push({ title, rows });
    const columns = [...new Set(rows.flatMap((r) => Object.keys(r.values)))];
    process.stdout.write(`\n${title}\n\n`);
    // Metrics run down, implementations across: readable with many metrics.
    const cells = columns.map((c) => [c, ...rows.map((r) => number(r.values[c]))]);
    const table = [['', ...rows.map((r) => r.name)], ...cells];
    const widths = (table[0] as string[]).map((_, i) =>
      Math.max(...table.map((line) => (line[i] as string).length)),
    );
    for (const [i, line] of table.entries()) {
      const text = line.map((cell, j) =>
        j === 0 ? cell.padEnd(widths[j] as number) : cell.padStart(widths[j] as number),
      );
      process.stdout.write(`| ${text.join(' | ')} |\n`);
      if (i === 0)
        process.stdout.write(
          `|${widths.map((w, j) => (j === 0 ? '-'.repeat(w + 2) : `${'-'.repeat(w + 1)}:`)).join('|')}|\n`,
        );
    }
  }

  save(file: string): void {
    const result = {
      v: 1,
      command: this.#command,
      date: new Date().toISOString(),
      commit: commit(),
      machine: {
        cpu: cpus()[0]?.model ?? 'unknown',
        cores: cpus().length,
        memoryBytes: totalmem(),
        node: process.version,
        kernel: release(),
      },
      tables: this.#tables,
    };
    writeFileSync(file, `${JSON.stringify(result, null, 1)}\n`);
  }
}

function number(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '–';
  if (!Number.isFinite(value)) return '∞';
  if (value === 0) return '0';
  const size = Math.abs(value);
  return size >= 100
    ? Math.round(value).toLocaleString('en')
    : size >= 10
      ? value.toFixed(1)
      : value.toFixed(size >= 1 ? 2 : 3);
}

/** The commit that is checked out, shortened; `unknown` outside a repository. */
export function commit(): string {
  return git('rev-parse', '--short', 'HEAD');
}

function git(...argv: string[]): string {
  try {
    return execFileSync('git', argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}
