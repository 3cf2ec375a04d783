// Each fault of the lab does what it says, and its end ends it: a fault that does nothing would let every test pass.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Lab } from "./lab.ts";
import { PacketCapture } from "./packet-capture.ts";
import type { LabNode } from "./topology.ts";

let lab: Lab<"A" | "B">;
let here: LabNode;
before(async () => {
  lab = await Lab.create({ A: "port-restricted", B: "none" });
  here = lab.sites.A.host;
});
beforeEach(() => lab.faults.flushConntrack(lab.sites.A.router));
after(() => lab.destroy());

/** Sends UDP packets from one node to port 9 of another. @returns how many arrived there. */
async function delivered(from: LabNode, to: LabNode, count: number, lengthBytes = 100): Promise<number> {
  const capture = await PacketCapture.start(lab, to, { isBrief: true });
  const code = `
    const socket = require("dgram").createSocket("udp4");
    let left = ${count};
    const next = () => left-- > 0 ? socket.send(Buffer.alloc(${lengthBytes}), 9, "${to.publicAddresses[0]}", next) : socket.close();
    next();`;
  await lab.output(from, [process.execPath, "-e", code]);
  await sleep(50);
  await capture.stop();
  return capture.udpPackets().filter((packet) => packet.destination.endsWith(":9")).length;
}

test("a cut stops UDP between two places only, and mending it lets it pass", async () => {
  const { A, B } = lab.sites;
  const cut = await lab.faults.cutUdp(A.router, B.host);
  assert.equal(await delivered(here, B.host, 5), 0);
  assert.equal(await delivered(here, lab.rendezvous, 5), 5);
  await cut.restore();
  assert.equal(await delivered(here, B.host, 5), 5);
});

test("random loss loses about its share", async () => {
  await lab.faults.dropRandom(30);
  const arrived = await delivered(here, lab.rendezvous, 1000);
  await lab.faults.dropRandom(0);
  assert.ok(arrived > 620 && arrived < 780, `${arrived} of 1000 arrived`);
  assert.equal(await delivered(here, lab.rendezvous, 1000), 1000);
});

test("a router that forgets its flows translates the next packet anew", async () => {
  const { router } = lab.sites.A;
  await delivered(here, lab.rendezvous, 1);
  assert.equal((await lab.faults.flowsAlive(router)).length, 1);
  await lab.faults.flushConntrack(router);
  assert.deepEqual(await lab.faults.flowsAlive(router), []);
});

test("an unanswered flow is forgotten after the time that was set", async () => {
  const { router } = lab.sites.A;
  await lab.faults.setConntrackTimeouts(router, { unansweredSeconds: 1, answeredSeconds: 2 });
  await delivered(here, lab.rendezvous, 1);
  await sleep(1500);
  assert.deepEqual(await lab.faults.flowsAlive(router), []);
  await lab.faults.setConntrackTimeouts(router, { unansweredSeconds: 30, answeredSeconds: 120 });
});

test("a narrow link stops long packets and tells the sender, so that the next ones fit", async () => {
  const { router } = lab.sites.A;
  await lab.faults.setMtu(router, 1300);
  assert.equal(await delivered(here, lab.rendezvous, 1, 1200), 1);
  assert.equal(await delivered(here, lab.rendezvous, 1, 1400), 0);
  assert.match(await lab.output(here, ["ip", "route", "get", lab.rendezvous.address]), /mtu 1300/);
  await lab.faults.setMtu(router, 1500);
  await lab.output(here, ["ip", "route", "flush", "cache"]);
  assert.equal(await delivered(here, lab.rendezvous, 1, 1400), 1);
});

test("a silent narrow link swallows long packets, again and again", async () => {
  const { router } = lab.sites.A;
  await lab.faults.setMtu(router, 1300, true);
  assert.equal(await delivered(here, lab.rendezvous, 1, 1200), 1);
  assert.equal(await delivered(here, lab.rendezvous, 3, 1400), 0);
  assert.equal(await delivered(lab.rendezvous, lab.sites.B.host, 3, 1400), 3, "other links stay wide");
  await lab.faults.setMtu(router, 1500, true);
  assert.equal(await delivered(here, lab.rendezvous, 1, 1400), 1);
});

test("a rate limit holds", async () => {
  const lengthBytes = 500_000;
  const upload = async (): Promise<number> => {
    const server = lab.spawn(lab.rendezvous, ["nc", "-l", "-n", "-v", "7000"]);
    await server.waitForLine(/Listening/, 5000);
    const startMs = performance.now();
    await lab.output(here, ["nc", "-n", "-N", lab.rendezvous.address, "7000"], "x".repeat(lengthBytes));
    assert.equal((await server.ended).stdout.length, lengthBytes);
    return performance.now() - startMs;
  };
  await lab.faults.setRate(lab.sites.A.router, 10);
  const limitedMs = await upload();
  await lab.faults.setRate(lab.sites.A.router, undefined);
  const freeMs = await upload();
  // 400 ms at 10 Mbit/s, less the first burst.
  assert.ok(limitedMs > 300, `${limitedMs} ms`);
  assert.ok(freeMs < limitedMs / 2, `${freeMs} ms without a limit, ${limitedMs} ms with one`);
});
