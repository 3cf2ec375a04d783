// A router that takes unsolicited packets in, so that a peer's early probe occupies the tuple that the host behind it needs (see
// test/sim/conntrack-nat.ts): it has to become direct with everybody who can be aimed at.

import assert from "node:assert/strict";
import { forSeeds } from "../sim/for-seeds.ts";
import { meet, quantile } from "./meeting.ts";

const link = { jitterMs: 1 };

for (const [delayMs, limitMs] of [
  [2, 500],
  [20, 600],
  [100, 1_500],
] as const) {
  const times: number[] = [];
  forSeeds(
    40,
    `a spoilt mapping that nobody knew of is escaped from by a fresh socket within ${limitMs} ms at a delay of ${delayMs} ms`,
    (scenario) => {
      times.push(meet(scenario, { a: "portRestricted", b: "badRouter", delayMs, link }, 5_000).directMs);
      if (scenario.seed === 40) assert.ok(quantile(times, 1) <= limitMs, `${quantile(times, 1)} ms`);
    },
  );
}
