// The grid of emulated links: its cells, which of them are measured when nothing else is said, and how long each takes. A cell lasts long
// enough for slow start to be over before anything counts, and for at least twenty round trips after that.

import { CUBIC_BETA, CUBIC_C } from "../../src/base/limits.ts";

export interface LinkCell {
  readonly rateMbps: number;
  /** Of the link itself, with an empty queue; half of it each way. */
  readonly rttMs: number;
  /** Of the packets that carry the data; acknowledgements are not lost. */
  readonly lossPercent: number;
  /** The queue, in bandwidth-delay products. */
  readonly bufferBdp: number;
}

const RATES = [10, 100, 500];
const RTTS = [5, 50, 200];
const LOSSES = [0, 0.1, 1, 3];
const BUFFERS = [0.3, 1, 4];

/** Every cell, the slow links first. */
export const wholeGrid: readonly LinkCell[] = RATES.flatMap((rateMbps) =>
  RTTS.flatMap((rttMs) =>
    LOSSES.flatMap((lossPercent) => BUFFERS.map((bufferBdp) => ({ rateMbps, rttMs, lossPercent, bufferBdp }))),
  ),
);

const isUsual = ({ rateMbps, rttMs, lossPercent, bufferBdp }: LinkCell): boolean => {
  // All rates and round trips without loss; at the middle of the grid all losses and all buffers.
  if (lossPercent === 0 && bufferBdp === 1) return true;
  return rateMbps === 100 && rttMs === 50 && (lossPercent === 0 || bufferBdp === 1);
};

/** A cross through the grid. */
export const usualCells: readonly LinkCell[] = wholeGrid.filter(isUsual);

/** Three links that have nothing in common. */
export const quickCells: readonly LinkCell[] = [
  { rateMbps: 10, rttMs: 50, lossPercent: 0, bufferBdp: 1 },
  { rateMbps: 100, rttMs: 5, lossPercent: 0, bufferBdp: 1 },
  { rateMbps: 100, rttMs: 50, lossPercent: 1, bufferBdp: 1 },
];

/** Where two flows meet; those of CUBIC take many round trips to agree. */
export const fairnessCells: readonly LinkCell[] = [
  { rateMbps: 10, rttMs: 50, lossPercent: 0, bufferBdp: 1 },
  { rateMbps: 100, rttMs: 5, lossPercent: 0, bufferBdp: 1 },
  { rateMbps: 100, rttMs: 50, lossPercent: 0, bufferBdp: 1 },
];

/** A megabit a second is so many bytes a millisecond. */
const BYTES_PER_MS = 125;
const PACKET_BYTES = 1500;
/** The packet that is being sent counts as waiting: a queue of less would never take two. */
const QUEUE_BYTES_MIN = 2 * PACKET_BYTES;
/** A whole period of CUBIC is watched where it does not take longer than this. */
const PERIOD_MS_MAX = 12_000;

/** @returns the bytes of the queue. */
export function queueBytesOf({ rateMbps, rttMs, bufferBdp }: LinkCell): number {
  return Math.max(QUEUE_BYTES_MIN, Math.round(rateMbps * rttMs * BYTES_PER_MS * bufferBdp));
}

export interface CellTimes {
  readonly warmUpMs: number;
  readonly durationMs: number;
}

/** What CUBIC takes from one full queue to the next (RFC 9438 §4.2: K), where nothing but a full queue loses packets. */
function cubicPeriodMs(cell: LinkCell): number {
  const { rateMbps, rttMs, bufferBdp, lossPercent } = cell;
  if (lossPercent > 0) return 0;
  const windowPackets = (rateMbps * rttMs * BYTES_PER_MS * (1 + bufferBdp)) / PACKET_BYTES;
  return 1000 * Math.cbrt((windowPackets * (1 - CUBIC_BETA)) / CUBIC_C);
}

/** From ten packets to 500 Mbit/s at 200 ms slow start takes ten round trips, and its end a few more. */
export function timesOf(cell: LinkCell): CellTimes {
  const { rttMs } = cell;
  const periodMs = Math.min(cubicPeriodMs(cell), PERIOD_MS_MAX);
  return { warmUpMs: Math.max(1000, 17 * rttMs), durationMs: Math.max(3000, 1500 + 25 * rttMs, periodMs) };
}

/** Two flows are given longer. */
export function fairnessTimesOf({ rttMs }: LinkCell): CellTimes {
  return { warmUpMs: Math.max(4000, 200 * rttMs), durationMs: Math.max(6000, 400 * rttMs) };
}

/** @returns "100 Mbit/s, 50 ms, 1 % loss, 0.3 BDP": also the name by which a measured cell is found again. */
export function nameOf({ rateMbps, rttMs, lossPercent, bufferBdp }: LinkCell): string {
  return `${rateMbps} Mbit/s, ${rttMs} ms, ${lossPercent} % loss, ${bufferBdp} BDP`;
}
