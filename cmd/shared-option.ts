// Options that several commands have.

/** An option with one value; of several given, the last one holds. */
export const single = {
  type: "string",
  requiresArg: true,
  coerce: (value: string | string[] | undefined) => (Array.isArray(value) ? value.at(-1) : value),
} as const;

export const jsonOption = { type: "boolean", default: false, describe: "Print one JSON object a line" } as const;

export const logLevelOption = {
  ...single,
  describe: "What to log on stderr: error, warn, info or debug [TUNNEL_LOG]",
} as const;

export const rendezvousOption = {
  type: "string",
  array: true,
  default: [] as string[],
  defaultDescription: "TUNNEL_RENDEZVOUS",
  requiresArg: true,
  describe: "host:port or <rendezvous-id>@host:port; may be repeated",
} as const;
