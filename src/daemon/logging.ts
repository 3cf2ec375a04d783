// The log of a process: winston on stderr. It is loaded with the first message that is to be written, because a command that
// has nothing to log should not wait 70 ms for it.

import { Writable } from "node:stream";
import type { Logger } from "winston";
import type { Log, LogFields } from "../base/log.ts";
import { LineWriter } from "./line-writer.ts";

export const logLevels = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof logLevels)[number];

interface LogRecord {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields | undefined;
  readonly timestamp: string;
}

const FLUSH_MS = 500;

/** A Log that can be waited for at the end of the process. */
export interface ProcessLog extends Log {
  /** @returns when what was logged has been written. */
  close(): Promise<void>;
}

/** @param level the least important level that is written. */
export function createLog(level: LogLevel, lines: LineWriter = new LineWriter(2)): ProcessLog {
  const loader = new LazyLogger(level, lines);
  const rank = logLevels.indexOf(level);
  const at =
    (own: LogLevel) =>
    (message: string, fields?: LogFields): void => {
      if (logLevels.indexOf(own) <= rank) {
        loader.write({ level: own, message, fields, timestamp: new Date().toISOString() });
      }
    };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    close: () => loader.close(),
  };
}

/** Keeps records until winston is there. */
class LazyLogger {
  private readonly level: LogLevel;
  private readonly lines: LineWriter;
  private logger: Logger | undefined;
  private loading: Promise<void> | undefined;
  private readonly early: LogRecord[] = [];

  constructor(level: LogLevel, lines: LineWriter) {
    this.level = level;
    this.lines = lines;
  }

  write(record: LogRecord): void {
    if (this.logger !== undefined) {
      this.logger.log(record);
      return;
    }
    this.early.push(record);
    this.loading ??= this.load();
  }

  async close(): Promise<void> {
    await this.loading;
    await this.lines.flush(FLUSH_MS);
  }

  private async load(): Promise<void> {
    // A module of the older kind, whose names its default export has wherever it is bundled.
    const { createLogger, format, transports } = (await import("winston")).default;
    const { lines } = this;
    const stream = new Writable({
      decodeStrings: false,
      write(text: string, _encoding, done) {
        lines.write(text.trimEnd());
        done();
      },
    });
    this.logger = createLogger({
      level: this.level,
      levels: Object.fromEntries(logLevels.map((name, rank) => [name, rank])),
      format: format.printf((info) => formatRecord(info as unknown as LogRecord)),
      transports: [new transports.Stream({ stream, eol: "\n" })],
    });
    for (const record of this.early.splice(0)) this.logger.log(record);
  }
}

/** "2026-01-31T12:00:00.000Z warn  the message  key=value": one line, whatever the message holds. */
export function formatRecord(record: LogRecord): string {
  const fields = Object.entries(record.fields ?? {})
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}=${typeof value === "string" ? quote(value) : value}`)
    .join("");
  return `${record.timestamp} ${record.level.padEnd(5)} ${escapeControls(record.message)}${fields}`;
}

function quote(value: string): string {
  return /^[\w.:/@[\]+-]+$/.test(value) ? value : JSON.stringify(value);
}

/** What a peer sent may end up in a message; it must not write to the terminal or forge a line. */
function escapeControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  return text.replaceAll(/[\x00-\x1f\x7f-\x9f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
