// SIGTERM and SIGINT (and SIGHUP: the terminal was closed) ask the process to end politely; a second one ends it at once.

import { constants } from "node:os";

const SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/** @param onShutdown called once, with the first signal. */
export function onShutdownSignal(onShutdown: (signal: string) => void): void {
  let asked = false;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      // What a shell reports of a process that a signal ended.
      if (asked) process.exit(128 + constants.signals[signal]);
      asked = true;
      onShutdown(signal);
    });
  }
}
