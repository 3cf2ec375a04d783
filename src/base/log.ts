// Logging as an injected interface. Messages are plain sentences; `fields` carry the data.
// A secret never goes into either.

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** A log that keeps nothing: the default of every pure machine. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};
