// Waits for what sockets and timers bring about, as long as that takes on a busy machine and no longer.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

/** @throws AssertionError where the condition does not hold after so long. */
export async function until(condition: () => boolean, what = "it", limitMs = 5_000): Promise<void> {
  for (const endMs = performance.now() + limitMs; !condition(); await sleep(1)) {
    assert.ok(performance.now() < endMs, `${what} did not come about`);
  }
}
