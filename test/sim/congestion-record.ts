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
  [10, 5, 0, 0.3, 0.897, 1.8, 0.934, 1.8],
  [10, 5, 0, 1, 0.95, 2.5, 0.91, 2.1],
  [10, 5, 0, 4, 0.952, 11.4, 0.942, 7.1],
  [10, 5, 0.1, 0.3, 0.893, 1.7, 0.931, 1.8],
  [10, 5, 0.1, 1, 0.947, 2.5, 0.912, 2.1],
  [10, 5, 0.1, 4, 0.949, 9.9, 0.948, 7.6],
  [10, 5, 1, 0.3, 0.867, 1.6, 0.921, 1.8],
  [10, 5, 1, 1, 0.915, 2.3, 0.904, 2.1],
  [10, 5, 1, 4, 0.932, 7.2, 0.931, 6.6],
  [10, 5, 3, 0.3, 0.758, 1.3, 0.893, 1.7],
  [10, 5, 3, 1, 0.795, 1.7, 0.89, 2.3],
  [10, 5, 3, 4, 0.831, 3.3, 0.908, 5.7],
  [10, 50, 0, 0.3, 0.941, 6.4, 0.922, 2.4],
  [10, 50, 0, 1, 0.956, 19.1, 0.923, 3.6],
  [10, 50, 0, 4, 0.954, 53.7, 0.923, 3.3],
  [10, 50, 0.1, 0.3, 0.792, 2.1, 0.921, 2.4],
  [10, 50, 0.1, 1, 0.81, 4.5, 0.922, 3.5],
  [10, 50, 0.1, 4, 0.807, 3.4, 0.922, 3.6],
  [10, 50, 1, 0.3, 0.353, 0.4, 0.898, 2.2],
  [10, 50, 1, 1, 0.353, 0.4, 0.905, 3.4],
  [10, 50, 1, 4, 0.353, 0.4, 0.903, 3],
  [10, 50, 3, 0.3, 0.164, 0.2, 0.867, 2.2],
  [10, 50, 3, 1, 0.164, 0.2, 0.872, 2.4],
  [10, 50, 3, 4, 0.164, 0.2, 0.862, 3.5],
  [10, 200, 0, 0.3, 0.962, 15.5, 0.93, 12.1],
  [10, 200, 0, 1, 0.955, 70.2, 0.931, 25.2],
  [10, 200, 0, 4, 0.956, 191.2, 0.931, 25.6],
  [10, 200, 0.1, 0.3, 0.386, 0.4, 0.929, 12],
  [10, 200, 0.1, 1, 0.379, 0.4, 0.93, 23.9],
  [10, 200, 0.1, 4, 0.425, 0.5, 0.931, 25.7],
  [10, 200, 1, 0.3, 0.07, 0.1, 0.91, 11.7],
  [10, 200, 1, 1, 0.07, 0.1, 0.909, 16.8],
  [10, 200, 1, 4, 0.07, 0.1, 0.922, 25.8],
  [10, 200, 3, 0.3, 0.045, 0.1, 0.891, 8.2],
  [10, 200, 3, 1, 0.045, 0.1, 0.911, 18.3],
  [10, 200, 3, 4, 0.045, 0.1, 0.913, 23],
  [100, 5, 0, 0.3, 0.934, 0.6, 0.938, 0.3],
  [100, 5, 0, 1, 0.955, 2.9, 0.939, 0.5],
];

export const congestionRecord: readonly RecordedCell[] = rows.map(
  ([rateMbps, rttMs, lossPercent, bufferBdp, cubicUse, cubicQueueMs, bbrUse, bbrQueueMs]) => ({
    cell: { rateMbps, rttMs, lossPercent, bufferBdp },
    cubic: { utilisation: cubicUse, queueMs: cubicQueueMs },
    bbr: { utilisation: bbrUse, queueMs: bbrQueueMs },
  }),
);
