// What both congestion controllers were last seen to do on simulated links. When a change makes a figure better, or worse for a
// reason, the row is replaced by what `node dist/scripts/simulated-links.js` prints.

import type { GridCell } from "./congestion-grid.ts";

export interface RecordedCell {
  readonly cell: GridCell;
  /** Share of the link's rate that arrived as stream data, and the mean wait in the link's queue. */
  readonly cubic: { readonly utilisation: number; readonly queueMs: number };
  readonly bbr: { readonly utilisation: number; readonly queueMs: number };
}

/** Mbit/s, ms, % of loss, bandwidth-delay products of buffer; then utilisation and queue in ms of CUBIC and of BBR. */
const rows: readonly (readonly [number, number, number, number, number, number, number, number])[] = [
  [10, 5, 0, 0.3, 0.896, 1.7, 0.926, 1.7],
  [10, 5, 0, 1, 0.95, 2.5, 0.91, 2],
  [10, 5, 0, 4, 0.956, 15, 0.942, 6.9],
  [10, 5, 0.1, 0.3, 0.893, 1.7, 0.916, 1.7],
  [10, 5, 0.1, 1, 0.946, 2.5, 0.907, 2],
  [10, 5, 0.1, 4, 0.955, 14.5, 0.948, 7.2],
  [10, 5, 1, 0.3, 0.87, 1.6, 0.898, 1.7],
  [10, 5, 1, 1, 0.913, 2.4, 0.893, 1.9],
  [10, 5, 1, 4, 0.945, 9.9, 0.929, 6.6],
  [10, 5, 3, 0.3, 0.76, 1.3, 0.859, 1.6],
  [10, 5, 3, 1, 0.797, 1.7, 0.846, 1.8],
  [10, 5, 3, 4, 0.839, 3.5, 0.892, 5.2],
  [10, 50, 0, 0.3, 0.938, 6.2, 0.922, 2.2],
  [10, 50, 0, 1, 0.956, 37.6, 0.924, 6.2],
  [10, 50, 0, 4, 0.956, 169.3, 0.923, 4.6],
  [10, 50, 0.1, 0.3, 0.804, 2.1, 0.922, 2.2],
  [10, 50, 0.1, 1, 0.833, 4.5, 0.922, 5.1],
  [10, 50, 0.1, 4, 0.892, 26.2, 0.922, 5.4],
  [10, 50, 1, 0.3, 0.367, 0.5, 0.911, 2.2],
  [10, 50, 1, 1, 0.367, 0.5, 0.877, 5.9],
  [10, 50, 1, 4, 0.367, 0.5, 0.906, 6],
  [10, 50, 3, 0.3, 0.166, 0.2, 0.852, 2],
  [10, 50, 3, 1, 0.166, 0.2, 0.877, 2.1],
  [10, 50, 3, 4, 0.166, 0.2, 0.853, 2],
  [10, 200, 0, 0.3, 0.945, 29.5, 0.929, 13],
  [10, 200, 0, 1, 0.956, 149.3, 0.931, 30],
  [10, 200, 0, 4, 0.902, 665.2, 0.932, 45.2],
  [10, 200, 0.1, 0.3, 0.375, 0.4, 0.946, 15],
  [10, 200, 0.1, 1, 0.424, 0.5, 0.93, 33.2],
  [10, 200, 0.1, 4, 0.915, 199.9, 0.93, 37.7],
  [10, 200, 1, 0.3, 0.067, 0.1, 0.914, 12.2],
  [10, 200, 1, 1, 0.067, 0.1, 0.911, 22.5],
  [10, 200, 1, 4, 0.067, 0.1, 0.843, 78.5],
  [10, 200, 3, 0.3, 0.043, 0.1, 0.896, 8.9],
  [10, 200, 3, 1, 0.043, 0.1, 0.871, 4.5],
  [10, 200, 3, 4, 0.043, 0.1, 0.869, 4.9],
  [100, 5, 0, 0.3, 0.933, 0.6, 0.924, 0.3],
  [100, 5, 0, 1, 0.956, 3.5, 0.939, 0.7],
];

export const congestionRecord: readonly RecordedCell[] = rows.map(
  ([rateMbps, rttMs, lossPercent, bufferBdp, cubicUse, cubicQueueMs, bbrUse, bbrQueueMs]) => ({
    cell: { rateMbps, rttMs, lossPercent, bufferBdp },
    cubic: { utilisation: cubicUse, queueMs: cubicQueueMs },
    bbr: { utilisation: bbrUse, queueMs: bbrQueueMs },
  }),
);
