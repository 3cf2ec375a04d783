// Flows over links that mark packets instead of dropping them (ECN), and over routers that do not understand the mark.

import assert from "node:assert/strict";
import { test } from "node:test";
import { congestionControllers } from "../../src/transport/congestion-choice.ts";
import { type BottleneckFigures, type BottleneckSettings, runBottleneck } from "./bottleneck.ts";
import { BulkReceiver, BulkSender } from "./bulk-flow.ts";
import { SeededRandom } from "./seeded-random.ts";
import { World } from "./world.ts";

const { cubic, bbr } = congestionControllers;
const both = Object.entries(congestionControllers);

/** A flow, or more, that have found their rate on a link that marks what finds a queue of `markMs`. */
function overMarkingLink(
  { rateMbps, rttMs, markMs }: { rateMbps: number; rttMs: number; markMs: number },
  settings: Partial<BottleneckSettings>,
): BottleneckFigures {
  const common = { rateMbps, rttMs, bufferBdp: 2, lossProbability: 0, warmUpMs: 4_000, durationMs: 10_000 };
  return runBottleneck({ ...common, flows: [cubic], link: { markQueueBytes: markMs * rateMbps * 125 }, ...settings });
}

for (const [name, controller] of both) {
  test(`${name} keeps a marking link as busy as any, behind a queue no longer than what marks, and loses nothing`, () => {
    for (const link of [
      { rateMbps: 10, rttMs: 20, markMs: 5 },
      { rateMbps: 10, rttMs: 50, markMs: 10 },
      { rateMbps: 50, rttMs: 20, markMs: 10 },
    ]) {
      const marking = overMarkingLink(link, { flows: [controller] });
      const plain = overMarkingLink(link, { flows: [controller], link: {} });
      const what = `${JSON.stringify(link)}: ${JSON.stringify({ marking, plain })}`;
      assert.deepEqual(marking.ecn, ["capable"], what);
      assert.ok(marking.marked > 0 && marking.lost === 0, what);
      assert.ok(marking.utilisation >= 0.95 * plain.utilisation && plain.utilisation > 0.91, what);
      assert.ok(marking.queueMs <= link.markMs, what);
      // BBR alone has hardly any queue that a mark could shorten.
      const isLong = plain.queueMs > link.markMs / 2;
      assert.ok(isLong || name === "bbr", what);
      assert.ok(marking.queueMs <= (isLong ? 0.7 : 1) * plain.queueMs, what);
    }
  });

  test(`${name} shares a marking link fairly with another flow like it`, () => {
    const link = { rateMbps: 10, rttMs: 20, markMs: 10 };
    const indices = [1, 2, 3].map(
      (seed) =>
        overMarkingLink(link, { flows: [controller, controller], staggerMs: 1_000, durationMs: 20_000, seed }).fairness,
    );
    assert.ok(indices.reduce((sum, index) => sum + index, 0) / 3 >= 0.95, indices.join(", "));
  });

  for (const ecnFault of ["bleach", "mark", "drop"] as const) {
    test(`${name} fills a link whose router does not understand ECN (${ecnFault}), and stops marking`, () => {
      const figures = overMarkingLink(
        { rateMbps: 20, rttMs: 50, markMs: 10 },
        { flows: [controller], link: { ecnFault }, bufferBdp: 1 },
      );
      assert.deepEqual(figures.ecn, ["failed"]);
      assert.ok(figures.utilisation > 0.85, `${figures.utilisation}`);
      assert.equal(figures.marked, 0);
    });
  }
}

/** A transfer that has shown ECN to work, on a way that changes: how fast it is afterwards, and what it thinks of ECN. */
function afterChange(change: (way: { world: World; link: ReturnType<World["addHost"]>["attachment"]["up"] }) => void) {
  const world = new World({ seed: 1, timerLatenessMs: 1 });
  const random = new SeededRandom(1).fork("flows");
  const sender = new BulkSender();
  const receiver = new BulkReceiver(random.fork("receiver"));
  const up = { rateMbps: 20, queueBytes: 125_000, delayMs: 25 };
  const host = world.addHost("sender", { ip: "198.51.100.1", up, down: { delayMs: 25 } });
  const there = world.addHost("receiver", { ip: "198.51.100.2" });
  host.run(sender, (nowMs) => sender.pump(nowMs));
  there.run(receiver, (nowMs) => receiver.pump(nowMs));
  const flow = host.input((nowMs) => sender.start(nowMs, random.fork("flow"), cubic, receiver, there.address));
  world.runFor(3_000);
  const { active } = flow.connection.paths;
  assert.equal(active?.ecn.state, "capable");
  change({ world, link: host.attachment.up });
  const before = receiver.receivedBytes;
  world.runFor(10_000);
  return { mbps: ((receiver.receivedBytes - before) * 8) / 10_000 / 1_000, state: active.ecn.state };
}

test("a way that begins to swallow marked packets in mid-transfer holds it up for moments only", () => {
  const { mbps, state } = afterChange(({ link }) => link.change({ ecnFault: "drop" }));
  assert.equal(state, "failed");
  assert.ok(mbps > 14, `${mbps} Mbit/s`);
});

test("a way that begins to mark everything in mid-transfer slows it down, and does not stop it", () => {
  const { mbps, state } = afterChange(({ link }) => link.change({ ecnFault: "mark" }));
  assert.equal(state, "failed");
  assert.ok(mbps > 2, `${mbps} Mbit/s`);
});

test("an outage in mid-transfer is no reason to give ECN up", () => {
  const { mbps, state } = afterChange(({ world, link }) => {
    link.change({ isCut: true });
    world.runFor(3_000);
    link.change({ isCut: false });
    world.runFor(2_000);
  });
  assert.equal(state, "capable");
  assert.ok(mbps > 14, `${mbps} Mbit/s`);
});

test("a host without ECN on its socket, whichever of the two it is, talks as before", () => {
  for (const plain of ["sender", "receiver"] as const) {
    const world = new World({ seed: 1 });
    const random = new SeededRandom(1).fork("flows");
    const sender = new BulkSender();
    const receiver = new BulkReceiver(random.fork("receiver"));
    const link = { rateMbps: 20, queueBytes: 125_000, markQueueBytes: 25_000, delayMs: 20 };
    const host = world.addHost("sender", { ip: "198.51.100.1", link });
    const there = world.addHost("receiver", { ip: "198.51.100.2" });
    (plain === "sender" ? host : there).hasEcn = false;
    host.run(sender, (nowMs) => sender.pump(nowMs));
    there.run(receiver, (nowMs) => receiver.pump(nowMs));
    const flow = host.input((nowMs) => sender.start(nowMs, random.fork("flow"), bbr, receiver, there.address));
    world.runFor(5_000);
    assert.equal(flow.connection.paths.active?.ecn.state, "failed", plain);
    assert.ok(receiver.receivedBytes > 0.8 * 20 * 125 * 5_000, plain);
  }
});
