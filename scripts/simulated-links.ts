// Prints what both congestion controllers do on simulated links, in the form in which test/sim/congestion-record.ts keeps it. The figures
// are those of a virtual clock: they are the same on every machine.
//
//   node dist/scripts/simulated-links.js          the links that the tests look at
//   node dist/scripts/simulated-links.js --all    the whole grid, in some minutes

import { type GridCell, gridCells, gridRates, measureCell } from "../test/sim/congestion-grid.ts";
import { congestionRecord } from "../test/sim/congestion-record.ts";

const cells: readonly GridCell[] = process.argv.includes("--all")
  ? gridRates.flatMap(gridCells)
  : congestionRecord.map(({ cell }) => cell);

for (const cell of cells) {
  const { rateMbps, rttMs, lossPercent, bufferBdp } = cell;
  const figures = (["cubic", "bbr"] as const).flatMap((controller) => {
    const { utilisation, queueMs } = measureCell(cell, controller);
    return [utilisation.toFixed(3), queueMs.toFixed(1)];
  });
  console.log(`  [${[rateMbps, rttMs, lossPercent, bufferBdp, ...figures].map(Number).join(", ")}],`);
}
