// Options that several commands have.

type Given = string | string[];
const last = (value: Given): string => (Array.isArray(value) ? (value.at(-1) as string) : value);

/** An option with one value; of several given, the last one holds. */
export const single = {
  type: "string",
  requiresArg: true,
  coerce: (value: Given | undefined) => (value === undefined ? undefined : last(value)),
} as const;

/** The same where there is always a value, because there is a default. */
export const singleWithDefault = { type: "string", requiresArg: true, coerce: last } as const;

export const jsonOption = { type: "boolean", default: false, describe: "Print one JSON object a line" } as const;

export const logLevelOption = {
  ...single,
  describe: "What to log on stderr: error, warn, info or debug [TUNNEL_LOG]",
} as const;

/** How peers reach each other directly; of both sides, but for the first, which means another thing on each. */
export const addressOption = {
  type: "string",
  array: true,
  default: [] as string[],
  defaultDescription: "none",
  requiresArg: true,
} as const;

export const directOptions = {
  lan: {
    type: "boolean",
    default: false,
    describe: "Find each other on one local network by multicast, without a rendezvous",
  },
  "udp-port": { ...single, defaultDescription: "any", describe: "The UDP port to use here" },
  spray: {
    type: "boolean",
    default: true,
    describe: "Try many ports where a NAT asks for it; --no-spray does not",
  },
  "port-mapping": {
    type: "boolean",
    default: true,
    describe: "Ask the router to map our UDP port (PCP, NAT-PMP, UPnP); --no-port-mapping leaves it alone",
  },
} as const;

export const congestionOption = {
  ...single,
  defaultDescription: "auto",
  describe: "Congestion control of what this side sends: auto, cubic or bbr",
} as const;

export const resumeOption = {
  ...single,
  defaultDescription: "10m",
  describe: "How long an outage connections outlive, such as 90s, 10m or 2h; the shorter of both sides' holds",
} as const;

export const rendezvousOption = {
  type: "string",
  array: true,
  default: [] as string[],
  defaultDescription: "TUNNEL_RENDEZVOUS",
  requiresArg: true,
  describe: "host:port or <rendezvous-id>@host:port; may be repeated",
} as const;
