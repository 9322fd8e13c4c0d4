/**
 * The daemon's log: pino, one JSON object a line, readable lines on a terminal. Every line passes `redact`, so that no
 * whole address, key, id or secret is kept.
 */
import { redact, redactFields } from '@molia/metrics';
import { destination, type Logger, pino, stdTimeFunctions } from 'pino';
import type { Config } from './config.ts';
import { reason } from './datadir.ts';
import { cliError } from './errors.ts';

export type { Logger };

/** @throws MoliaError FILE_UNREADABLE when `log.file` cannot be opened. */
export async function createLog(config: Pick<Config, 'logLevel' | 'logFormat' | 'logFile'>): Promise<Logger> {
  const { logFile, logFormat, logLevel } = config;
  const pretty =
    logFormat === 'pretty' || (logFormat === 'auto' && logFile === undefined && process.stderr.isTTY);
  const sink = logFile === undefined ? destination({ fd: 2, sync: true }) : await openFile(logFile);
  return pino(
    {
      level: logLevel,
      base: { pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => redactFields(fields) as Record<string, unknown>,
      },
      hooks: {
        logMethod(args, method) {
          const safe = args.map((arg) => (typeof arg === 'string' ? redact(arg) : arg));
          method.apply(this, safe as Parameters<typeof method>);
        },
      },
    },
    pretty ? { write: (line: string) => void sink.write(prettyLine(line)) } : sink,
  );
}

async function openFile(file: string): Promise<ReturnType<typeof destination>> {
  const sink = destination({ dest: file, mkdir: false, append: true, mode: 0o600, sync: false });
  await new Promise<void>((resolve, reject) => {
    sink.once('ready', resolve);
    sink.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        cliError('FILE_UNREADABLE', `log file ${file} cannot be opened (${reason(error.code)})`, {
          cause: error,
        }),
      );
    });
  });
  return sink;
}

const colours: Readonly<Record<string, string>> = {
  warn: '33',
  error: '31',
  fatal: '31',
  debug: '2',
  trace: '2',
};

/** `12:30:45 warn  message name=value …`; a line that is not ours passes as it is. */
export function prettyLine(line: string): string {
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return line;
  }
  const { level, time, msg, pid: _pid, ...rest } = fields;
  const extra = Object.entries(rest)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
  const clock = String(time).slice(11, 19);
  const name = String(level).padEnd(5);
  const plain =
    process.env['NO_COLOR'] !== undefined || process.env['TERM'] === 'dumb' || !process.stderr.isTTY;
  const colour = plain ? undefined : colours[String(level)];
  const shown = colour === undefined ? name : `\u001b[${colour}m${name}\u001b[0m`;
  return `${clock} ${shown} ${msg ?? ''}${extra === '' ? '' : `  ${extra}`}\n`;
}
