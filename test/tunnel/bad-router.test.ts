// A router that takes unsolicited packets in, so that a peer's early probe occupies the tuple that the host behind it needs (see
// test/sim/conntrack-nat.ts): it has to become direct with everybody who can be aimed at.

import assert from "node:assert/strict";
import { forSeeds } from "../sim/for-seeds.ts";
import { BEHAVIOURS, type MeasuredKind, meet, quantile } from "./meeting.ts";

const link = { jitterMs: 1 };
const UNKNOWN = { mapping: "unknown", filtering: "unknown", portsPreserved: false } as const;
/** A measurement by a rendezvous that has no alternate does not see it. */
const { takesUnsolicited: _, ...TAKEN_FOR_GOOD } = BEHAVIOURS.portRestricted;

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
      times.push(
        meet(scenario, { a: "portRestricted", b: "badRouter", natB: TAKEN_FOR_GOOD, delayMs, link }, 5_000).directMs,
      );
      if (scenario.seed === 40) assert.ok(quantile(times, 1) <= limitMs, `${quantile(times, 1)} ms`);
    },
  );
}

const easy = ["none", "fullCone", "addressRestricted", "portRestricted", "linux", "cgn"] as const;
for (const kind of easy) {
  for (const [a, b] of [
    [kind, "badRouter"],
    ["badRouter", kind],
  ] as const satisfies readonly (readonly [MeasuredKind, MeasuredKind])[]) {
    forSeeds(
      10,
      `${a} and ${b} meet within three round trips of the relay where the bad router is known`,
      (scenario) => {
        const { directMs, flows } = meet(scenario, { a, b, delayMs: 20, link }, 5_000);
        assert.ok(directMs <= 3 * 44, `${directMs} ms`);
        assert.ok(Math.max(...flows) < 10, `${flows} flows`);
      },
    );
  }
}

forSeeds(20, "an agent that has not measured its bad router yet speaks first, and meets who has", (scenario) => {
  const options = { a: "portRestricted", b: "badRouter", natB: UNKNOWN, delayMs: 20, link } as const;
  const { directMs } = meet(scenario, options, 5_000);
  assert.ok(directMs <= 3 * 44, `${directMs} ms`);
});

forSeeds(20, "where nothing has been measured at all, a bad router before the service is not spoilt", (scenario) => {
  const options = { a: "badRouter", b: "portRestricted", natA: UNKNOWN, natB: UNKNOWN, delayMs: 20, link } as const;
  const { directMs } = meet(scenario, options, 5_000);
  assert.ok(directMs <= 3 * 44, `${directMs} ms`);
});

const crossed: number[] = [];
forSeeds(
  200,
  "two bad routers meet by packets that cross each other, mostly within four round trips, with few flows",
  (scenario) => {
    const delayMs = [1, 5, 20, 100][scenario.seed % 4] as number;
    const jitterMs = scenario.random.between(0, delayMs / 10);
    const { directMs, flows } = meet(scenario, { a: "badRouter", b: "badRouter", delayMs, link: { jitterMs } }, 10_000);
    assert.ok(Math.max(...flows) <= 300, `${flows} flows`);
    crossed.push(directMs / (2 * delayMs));
    if (scenario.seed !== 200) return;
    assert.ok(quantile(crossed, 0.5) <= 4, `p50 ${quantile(crossed, 0.5)} round trips`);
    assert.ok(quantile(crossed, 1) < Number.POSITIVE_INFINITY);
  },
);

/** Without any delay no packets cross: only what dies on the way can open a NAT in time. */
const opened: number[] = [];
forSeeds(40, "two bad routers with no delay between them meet wherever one router lies on the way", (scenario) => {
  const hops = 1 + (scenario.seed % 8);
  const options = { a: "badRouter", b: "badRouter", delayMs: 0, link: {}, hops } as const;
  const { directMs, flows } = meet(scenario, options, 10_000);
  assert.ok(Math.max(...flows) <= 40, `${flows} flows`);
  opened.push(directMs);
  if (scenario.seed === 40) assert.ok(quantile(opened, 1) <= 100, `${quantile(opened, 1)} ms`);
});

const blind: number[] = [];
forSeeds(20, "two bad routers that nobody knows as such meet in the end", (scenario) => {
  const nats = { natA: TAKEN_FOR_GOOD, natB: TAKEN_FOR_GOOD };
  blind.push(meet(scenario, { a: "badRouter", b: "badRouter", ...nats, delayMs: 20, link }, 30_000).directMs);
  if (scenario.seed === 20) assert.ok(quantile(blind, 1) <= 10_000, `${quantile(blind, 1)} ms`);
});
