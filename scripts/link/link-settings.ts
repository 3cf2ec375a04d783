// What a link does to the packets of one direction, and how that comes in: one JSON object a line. The names are those of the simulated
// links in test/sim, so that weather which was met in one can be made in the other.

/** The Gilbert-Elliott model: a link is in a good or in a bad state, and may change it before each packet. */
export interface BurstLoss {
  /** From good to bad, a packet. */
  readonly enterProbability: number;
  /** From bad to good, a packet; its inverse is the mean length of a burst. */
  readonly leaveProbability: number;
  /** Loss in the bad state; in the good state `lossProbability` of the link holds. */
  readonly lossProbability: number;
}

export interface LinkSettings {
  /** Megabits (10^6) a second, IP headers included; Infinity for a link that takes no time to send. */
  readonly rateMbps: number;
  readonly delayMs: number;
  /** Each packet is delayed by up to this more, without overtaking. */
  readonly jitterMs: number;
  readonly lossProbability: number;
  readonly burstLoss: BurstLoss | undefined;
  /** A packet that is reordered is held back by up to `reorderMs`, and those behind it overtake. */
  readonly reorderProbability: number;
  readonly reorderMs: number;
  readonly duplicateProbability: number;
  /** Bytes that may wait, the packet that is being sent included; only a finite rate makes any wait. What finds no room vanishes. */
  readonly queueBytes: number;
  /** Largest IP packet, headers included. What is larger vanishes, and nobody is told. */
  readonly mtuBytes: number;
}

export const PERFECT_LINK: LinkSettings = {
  rateMbps: Number.POSITIVE_INFINITY,
  delayMs: 0,
  jitterMs: 0,
  lossProbability: 0,
  burstLoss: undefined,
  reorderProbability: 0,
  reorderMs: 0,
  duplicateProbability: 0,
  queueBytes: Number.POSITIVE_INFINITY,
  mtuBytes: 65_535,
};

/** Which way: from the first end to the second, back, or both. */
export type LinkWay = "there" | "back" | "both";

/** One line of input. */
export type LinkOrder =
  | { readonly order: "change"; readonly way: LinkWay; readonly settings: Partial<LinkSettings> }
  | { readonly order: "report" }
  /** As report, and what is counted begins anew. */
  | { readonly order: "forget" };

const AMOUNTS = new Set(["rateMbps", "delayMs", "jitterMs", "reorderMs", "queueBytes", "mtuBytes"]);
const PROBABILITIES = new Set(["lossProbability", "reorderProbability", "duplicateProbability"]);
const BURST_FIELDS = ["enterProbability", "leaveProbability", "lossProbability"] as const;

const isAmount = (value: unknown): value is number => typeof value === "number" && value >= 0;
const isProbability = (value: unknown): value is number => isAmount(value) && value <= 1;

function readBurstLoss(value: unknown): BurstLoss | undefined {
  if (value === null) return undefined;
  const burst = value as Partial<Record<keyof BurstLoss, unknown>>;
  if (typeof value !== "object" || !BURST_FIELDS.every((field) => isProbability(burst[field]))) {
    throw new Error(`burstLoss has to be null or to have ${BURST_FIELDS.join(", ")}, each from 0 to 1`);
  }
  return value as BurstLoss;
}

/** JSON has no Infinity: null stands for it, and for no bursts. */
function readSetting(name: string, value: unknown): unknown {
  if (name === "burstLoss") return readBurstLoss(value);
  if (AMOUNTS.has(name)) {
    if (value === null) return Number.POSITIVE_INFINITY;
    if (isAmount(value) && (value > 0 || name !== "rateMbps")) return value;
    throw new Error(`${name} is ${JSON.stringify(value)}; it has to be null or a number that is not negative`);
  }
  if (!PROBABILITIES.has(name)) throw new Error(`a link has no setting ${name}`);
  if (isProbability(value)) return value;
  throw new Error(`${name} is ${JSON.stringify(value)}; it has to be a number from 0 to 1`);
}

/** @returns settings as they come in JSON. @throws an Error that says what is wrong. */
export function readSettings(value: unknown): Partial<LinkSettings> {
  if (typeof value !== "object" || value === null) throw new Error("settings have to be an object");
  return Object.fromEntries(Object.entries(value).map(([name, given]) => [name, readSetting(name, given)]));
}

/** @returns settings as `readSettings` reads them. */
export function writeSettings(settings: Partial<LinkSettings>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      name,
      value === undefined || value === Number.POSITIVE_INFINITY ? null : value,
    ]),
  );
}

/** @throws an Error that says what is wrong. */
export function readOrder(line: string): LinkOrder {
  const { order, way, settings } = JSON.parse(line) as Record<string, unknown>;
  if (order === "report" || order === "forget") return { order };
  if (order !== "change") {
    throw new Error(`order is ${JSON.stringify(order)}; it has to be "change", "report" or "forget"`);
  }
  if (way !== "there" && way !== "back" && way !== "both") {
    throw new Error(`way is ${JSON.stringify(way)}; it has to be "there", "back" or "both"`);
  }
  return { order, way, settings: readSettings(settings) };
}
