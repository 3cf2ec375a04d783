// SIGTERM and SIGINT (and SIGHUP: the terminal was closed) ask the process to end politely; a second one ends it at once.

import { constants } from "node:os";

const SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/** Until this is called, a signal ends the process at once, as a process without state may end. @returns the first signal. */
export function shutdownSignal(): Promise<string> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        // What a shell reports of a process that a signal ended.
        if (asked) process.exit(128 + constants.signals[signal]);
        asked = true;
        resolve(signal);
      });
    }
  });
}
