// Both congestion controllers where a path behaves as no path should: it is dead from the first packet on, dies for minutes in the
// middle, its host sleeps while the clock runs on, its round trip is nothing or ten seconds. When it works again the transfer
// goes on within seconds: no rate and no window that was measured in such a time may hold it up.

import assert from "node:assert/strict";
import { congestionControllers } from "../../src/transport/congestion-choice.ts";
import { forSeeds, type Scenario } from "../sim/for-seeds.ts";
import { MultiPathWorld } from "./multi-path-world.ts";

const BYTES = 300_000;

/**
 * How long after the path is well again all has to be there. 300 KB take a quarter of a second at its rate; the rest is for slow start, and
 * for BBR to find out, in steps of a quarter every few seconds, that losses were none of its own.
 */
const DEADLINE_MS = 12_000;
const DEADLINE_ROUND_TRIPS = 50;

function run({ random, world }: Scenario, name: keyof typeof congestionControllers): void {
  const delayMs = random.pick([0, 0, 0.2, 5, 50, 300]);
  const made = new MultiPathWorld(world({ joinProbability: random.pick([0, 0.5]) }), {
    networks: [
      { delayMs, rateMbps: 10, queueBytes: random.pick([10_000, 60_000]), mtuBytes: random.pick([1280, 1500]) },
    ],
    settings: { congestion: congestionControllers[name] },
  });
  const { a, b, hostA, hostB } = made;
  made.start(0);
  const early = random.chance(0.5);
  if (early && random.chance(0.5)) made.cut(0, random.pick([undefined, "a", "b"]));
  hostA.input((nowMs) => a.send(nowMs, a.open(nowMs, made.connection), BYTES));
  if (early) made.world.runFor(random.pick([0, 0.5, 2]) * Math.max(delayMs, 1));
  else made.world.runFor(random.between(0, 400));
  const ends = made.lanes[0]?.ends ?? assert.fail();
  for (let i = random.integer(1, 3); i > 0; i--) {
    const longMs = random.pick([30, 500, 3_000, 20_000, 120_000]);
    const host = random.pick([hostA, hostB]);
    const harm = random.pick(["cut", "sleep", "lossy", "long"]);
    if (harm === "cut") made.cut(0, random.pick([undefined, "a", "b"]));
    else if (harm === "sleep")
      host.pause({ packets: random.pick(["lost", "buffered"]), clockStops: random.chance(0.3) });
    else if (harm === "lossy") for (const { up } of ends) up.change({ lossProbability: 0.7 });
    else for (const { up } of ends) up.change({ delayMs: 2_500 });
    made.world.runFor(longMs);
    if (host.isAsleep) host.resume();
    made.mend(0);
    for (const { up } of ends)
      up.change({ lossProbability: 0, delayMs: delayMs / 2, mtuBytes: random.pick([1280, 1500]) });
    if (random.chance(0.5)) made.world.runFor(random.pick([1, 100, 1_000]));
  }
  const isOver = (): boolean => [...b.records.values()][0]?.ended === true;
  const deadlineMs = DEADLINE_MS + DEADLINE_ROUND_TRIPS * 2 * delayMs;
  for (let waitedMs = 0; waitedMs < deadlineMs && !isOver(); waitedMs += 100) made.world.runFor(100);
  const got = [...b.records.values()][0]?.received;
  const path = made.connection.paths.active;
  assert.ok(
    isOver(),
    `${got} of ${BYTES} bytes ${deadlineMs} ms after the path is well; window ${path?.windowBytes}, in flight ${path?.bytesInFlight}, ` +
      `paced until ${path?.pacingAtMs} at ${made.world.nowMs}, round trip ${path?.rttMs}, rate ${path?.rtt && path.congestion.pacingBytesPerMs(path.rtt)}`,
  );
}

for (const name of ["cubic", "bbr"] as const) {
  forSeeds(60, `${name}: what a path did while it was ill does not hold up a transfer when it is well`, (scenario) => {
    run(scenario, name);
  });
}
