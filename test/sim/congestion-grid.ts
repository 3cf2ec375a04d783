// The grid of slow links on which both congestion controllers are measured in simulation, and how one cell of it is measured. The tests
// hold a part of it to recorded figures; `node dist/scripts/simulated-links.js --all` prints the whole of it, in the form of
// congestion-record.ts.

import { type CongestionName, congestionControllers } from "../../src/transport/congestion-choice.ts";
import { type BottleneckFigures, runBottleneck } from "./bottleneck.ts";

export interface GridCell {
  readonly rateMbps: number;
  readonly rttMs: number;
  readonly lossPercent: number;
  readonly bufferBdp: number;
}

export const gridRates = [10, 100] as const;

/** Every cell of one rate. */
export function gridCells(rateMbps: number): GridCell[] {
  return [5, 50, 200].flatMap((rttMs) =>
    [0, 0.1, 1, 3].flatMap((lossPercent) =>
      [0.3, 1, 4].map((bufferBdp) => ({ rateMbps, rttMs, lossPercent, bufferBdp })),
    ),
  );
}

/** Ten seconds of one flow, when it has found its rate. */
export function measureCell(
  { lossPercent, ...cell }: GridCell,
  controller: CongestionName,
  seed = 1,
): BottleneckFigures {
  return runBottleneck({
    ...cell,
    lossProbability: lossPercent / 100,
    flows: [congestionControllers[controller]],
    warmUpMs: 3_000 + 20 * cell.rttMs,
    durationMs: 10_000,
    seed,
  });
}
