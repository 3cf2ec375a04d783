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
  [10, 5, 0, 0.3, 0.896, 1.7, 0.919, 1.7],
  [10, 5, 0, 1, 0.95, 2.5, 0.91, 2],
  [10, 5, 0, 4, 0.955, 11.6, 0.942, 6.9],
  [10, 5, 0.1, 0.3, 0.893, 1.7, 0.917, 1.7],
  [10, 5, 0.1, 1, 0.946, 2.5, 0.907, 2],
  [10, 5, 0.1, 4, 0.953, 10.9, 0.948, 7.2],
  [10, 5, 1, 0.3, 0.87, 1.6, 0.904, 1.7],
  [10, 5, 1, 1, 0.913, 2.4, 0.892, 1.9],
  [10, 5, 1, 4, 0.94, 7.8, 0.932, 6.7],
  [10, 5, 3, 0.3, 0.76, 1.3, 0.865, 1.7],
  [10, 5, 3, 1, 0.797, 1.7, 0.871, 2],
  [10, 5, 3, 4, 0.834, 3.3, 0.907, 5.7],
  [10, 50, 0, 0.3, 0.934, 5.9, 0.923, 2.3],
  [10, 50, 0, 1, 0.956, 26.1, 0.923, 5.5],
  [10, 50, 0, 4, 0.955, 58.9, 0.923, 4.6],
  [10, 50, 0.1, 0.3, 0.805, 2.3, 0.921, 2.3],
  [10, 50, 0.1, 1, 0.823, 5, 0.922, 4.6],
  [10, 50, 0.1, 4, 0.823, 4.7, 0.922, 4.8],
  [10, 50, 1, 0.3, 0.367, 0.5, 0.912, 2.2],
  [10, 50, 1, 1, 0.367, 0.5, 0.903, 4.2],
  [10, 50, 1, 4, 0.367, 0.5, 0.906, 4.2],
  [10, 50, 3, 0.3, 0.167, 0.2, 0.877, 2],
  [10, 50, 3, 1, 0.167, 0.2, 0.852, 1.9],
  [10, 50, 3, 4, 0.167, 0.2, 0.89, 3.9],
  [10, 200, 0, 0.3, 0.946, 19, 0.93, 14.4],
  [10, 200, 0, 1, 0.956, 70.2, 0.932, 45.6],
  [10, 200, 0, 4, 0.956, 168.4, 0.932, 48.2],
  [10, 200, 0.1, 0.3, 0.375, 0.4, 0.922, 15.9],
  [10, 200, 0.1, 1, 0.379, 0.4, 0.931, 41],
  [10, 200, 0.1, 4, 0.537, 1, 0.931, 43.5],
  [10, 200, 1, 0.3, 0.068, 0.1, 0.932, 13],
  [10, 200, 1, 1, 0.068, 0.1, 0.901, 45.1],
  [10, 200, 1, 4, 0.068, 0.1, 0.914, 42.3],
  [10, 200, 3, 0.3, 0.044, 0.1, 0.888, 11.8],
  [10, 200, 3, 1, 0.044, 0.1, 0.885, 47.6],
  [10, 200, 3, 4, 0.044, 0.1, 0.896, 37.5],
  [100, 5, 0, 0.3, 0.933, 0.6, 0.926, 0.3],
  [100, 5, 0, 1, 0.956, 3.2, 0.94, 1],
];

export const congestionRecord: readonly RecordedCell[] = rows.map(
  ([rateMbps, rttMs, lossPercent, bufferBdp, cubicUse, cubicQueueMs, bbrUse, bbrQueueMs]) => ({
    cell: { rateMbps, rttMs, lossPercent, bufferBdp },
    cubic: { utilisation: cubicUse, queueMs: cubicQueueMs },
    bbr: { utilisation: bbrUse, queueMs: bbrQueueMs },
  }),
);
