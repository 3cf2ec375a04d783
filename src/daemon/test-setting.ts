// Settings that only tests and the demo have a use for, from the environment. They are no part of what scripts may rely on.

import type { Environment } from "./state-directory.ts";
import { UsageError } from "./usage-error.ts";

export interface TestSettings {
  /** TUNNEL_TEST_LOOPBACK=1: offer loopback addresses to peers, for two agents on one machine. */
  readonly loopback: boolean;
  /** TUNNEL_TEST_DIRECT_AFTER_MS: hold the direct path back for so long after a connection is up. */
  readonly directAfterMs: number | undefined;
  /** TUNNEL_TEST_LIFETIME_MS=1000,4000: how long netcheck leaves mappings alone, in place of minutes. */
  readonly lifetimeIdlesMs: readonly number[] | undefined;
}

export function readTestSettings(env: Environment): TestSettings {
  const text = env.TUNNEL_TEST_DIRECT_AFTER_MS;
  const directAfterMs = text ? Number(text) : undefined;
  if (directAfterMs !== undefined && !(directAfterMs >= 0)) {
    throw new UsageError(`TUNNEL_TEST_DIRECT_AFTER_MS is "${text}"; expected a number of milliseconds`);
  }
  const lifetimeIdlesMs = env.TUNNEL_TEST_LIFETIME_MS?.split(",").map(Number);
  return { loopback: env.TUNNEL_TEST_LOOPBACK === "1", directAfterMs, lifetimeIdlesMs };
}
