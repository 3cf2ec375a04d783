// ECN through whole deployments: over the direct path, and over the relay, which hands on what the routers on either side of it say.

import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "../sim/world.ts";
import { Deployment, type Exchange } from "./deployment.ts";

/** Where on the way from the device to the laptop a link marks what finds 10 ms of queue. */
type Place = "before the relay" | "behind it";

/** A download of three seconds from the device, in mid-way, and what the marking link has seen by then. */
function download(kind: "portRestricted" | "symmetric", place: Place) {
  const world = new World({ seed: 3 });
  const deployment = new Deployment(world, { a: kind, b: kind, delayMs: 15 });
  const { laptop, device, nats } = deployment;
  deployment.expose();
  device.answerBytes = 100_000_000;
  const [ofDevice, ofLaptop] = [nats.siteA.routers[0] ?? assert.fail(), nats.siteB.routers[0] ?? assert.fail()];
  const link = place === "before the relay" ? ofDevice.wan.up : ofLaptop.wan.down;
  link.change({ rateMbps: 8, queueBytes: 400_000, markQueueBytes: 10_000 });
  const exchange = laptop.request(deployment.connect(), 10) as Exchange;
  world.runFor(2_000);
  const { lost, marked } = link;
  const before = exchange.received;
  world.runFor(3_000);
  return {
    via: laptop.paths.at(-1),
    mbps: ((exchange.received - before) * 8) / 3_000 / 1_000,
    lost: link.lost - lost,
    marked: link.marked - marked,
  };
}

for (const kind of ["portRestricted", "symmetric"] as const) {
  for (const place of ["before the relay", "behind it"] as const) {
    const via = kind === "symmetric" ? "relay" : "direct";
    test(`a link that marks (${via}, ${place}) is kept busy and loses nothing`, () => {
      const seen = download(kind, place);
      const what = JSON.stringify(seen);
      assert.equal(seen.via, via);
      assert.equal(seen.lost, 0, what);
      // Without an answer the window would go on growing: nearly every packet would find the queue.
      assert.ok(seen.marked >= 5 && seen.marked < 400, what);
      assert.ok(seen.mbps > 7, what);
    });
  }
}
