// NATs that give ports in sequence: hard ones meet each other by a predicted port, and easy ones meet them without a birthday spray.

import assert from "node:assert/strict";
import { forSeeds } from "../sim/for-seeds.ts";
import { BEHAVIOURS, type MeasuredKind, type Meeting, meet, quantile } from "./meeting.ts";

const link = { jitterMs: 1 };
const FLOWS_MAX = 1_000;
const FLOWS_PER_SECOND_MAX = 300;

function assertBounds({ flows, newPerSecond }: Meeting): void {
  assert.ok(Math.max(...flows) <= FLOWS_MAX, `${flows} flows`);
  assert.ok(Math.max(...newPerSecond) <= FLOWS_PER_SECOND_MAX, `${newPerSecond} new flows a second`);
}

const cases = [
  // Kinds, the share of all runs, and how many round trips of the relay they may take.
  ["symmetricSequential", "symmetricSequential", 0.95, 8, 40],
  ["symmetricSequential", "symmetricStriding", 0.9, 100, 300],
  ["symmetricStriding", "symmetricStriding", 0.9, 100, 300],
  ["portRestricted", "symmetricSequential", 0.95, 5, 100],
  ["symmetricSequential", "portRestricted", 0.95, 5, 100],
  ["symmetricStriding", "portRestricted", 0.95, 5, 100],
  ["badRouter", "symmetricSequential", 0.95, 6, 100],
  ["symmetricSequential", "badRouter", 0.95, 6, 100],
] as const satisfies readonly (readonly [MeasuredKind, MeasuredKind, number, number, number])[];

for (const [a, b, share, roundTrips, flowsMax] of cases) {
  const times: number[] = [];
  forSeeds(
    30,
    `${a} and ${b} meet by prediction, ${share * 100} % within ${roundTrips} round trips of the relay`,
    (scenario) => {
      const delayMs = [5, 20, 60][scenario.seed % 3] as number;
      const meeting = meet(scenario, { a, b, delayMs, link }, 30_000);
      assertBounds(meeting);
      assert.ok(Math.max(...meeting.flows) <= flowsMax, `${meeting.flows} flows`);
      times.push(meeting.directMs / Math.max(2 * delayMs, 25));
      if (scenario.seed === 30)
        assert.ok(quantile(times, share) <= roundTrips, `${quantile(times, share)} round trips`);
    },
  );
}

forSeeds(
  10,
  "of two hard NATs one that gives ports at random keeps both on the relay, with no flow more for it",
  (scenario) => {
    const meeting = meet(scenario, { a: "symmetric", b: "symmetricSequential", link }, 5_000);
    assert.equal(meeting.directMs, Number.POSITIVE_INFINITY);
    assert.ok(Math.max(...meeting.flows) < 10, `${meeting.flows} flows`);
  },
);

for (const [a, b] of [
  ["symmetricSequential", "symmetricSequential"],
  ["portRestricted", "symmetricSequential"],
  ["portRestricted", "symmetric"],
] as const) {
  forSeeds(
    3,
    `${a} and ${b} try no predicted ports, no many sockets and no spray where that is switched off`,
    (scenario) => {
      const meeting = meet(scenario, { a, b, link, settings: { spray: false } }, 20_000);
      assert.equal(meeting.directMs, Number.POSITIVE_INFINITY);
      assert.ok(Math.max(...meeting.flows) < 40, `${meeting.flows} flows`);
    },
  );
}

forSeeds(3, "two bad routers cross no packets where that is switched off", (scenario) => {
  const meeting = meet(scenario, { a: "badRouter", b: "badRouter", link, settings: { spray: false } }, 10_000);
  assert.ok(Math.max(...meeting.flows) < 40, `${meeting.flows} flows`);
});

forSeeds(20, "a prediction that was wrong gives way to the birthday", (scenario) => {
  const natB = BEHAVIOURS.symmetricSequential;
  const meeting = meet(scenario, { a: "portRestricted", b: "symmetric", natB, link }, 60_000);
  assertBounds(meeting);
  assert.ok(meeting.directMs < 60_000, `${meeting.directMs} ms`);
});
