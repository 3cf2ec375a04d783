// Networks that change under a connection: NATs that give another address, outages, sleep, another network. The same streams go on.

import assert from "node:assert/strict";
import { test } from "node:test";
import { forSeeds } from "../sim/for-seeds.ts";
import { World } from "../sim/world.ts";
import { addressOf } from "./datagram-tap.ts";
import type { StreamRecord } from "./endpoint-machine.ts";
import { MultiPathWorld } from "./multi-path-world.ts";
import { framesOf, PuppetPeer } from "./puppet-peer.ts";

const RTTS_MS = [1, 30, 100, 300];
const ENDLESS = 400_000_000;

function worldOf(rttMs: number, lossProbability = 0, seed = 1): MultiPathWorld {
  const link = { delayMs: rttMs / 2, rateMbps: 5, queueBytes: 60_000, lossProbability };
  const made = new MultiPathWorld(new World({ seed }), { networks: [link] });
  made.a.checkEvery = 8;
  made.b.checkEvery = 8;
  return made.connect();
}

/** @returns how long it takes until 20 KB more have arrived. */
function untilMore(made: MultiPathWorld, record: StreamRecord, limitMs: number): number {
  const before = record.received;
  return made.world.runUntil(() => record.received >= before + 20_000, limitMs);
}

test("a NAT that gives the sender another address costs an upload less than two seconds", () => {
  for (const rttMs of RTTS_MS) {
    const made = worldOf(rttMs);
    const record = made.upload(ENDLESS);
    made.world.runFor(2_000);
    made.hostA.changeAddress("10.0.0.77");
    const tookMs = untilMore(made, made.twin(record) ?? assert.fail(), 10_000);
    assert.ok(tookMs < 2_000, `RTT ${rttMs} ms: ${tookMs} ms`);
    made.world.runFor(500);
    assert.equal(made.accepted.activePath?.route.remote.host, "10.0.0.77");
    assert.equal(made.accepted.paths.all.length, 1, "the path moved along, it is no new one");
  }
});

test("a NAT that gives the reader another port costs a download little more than a probe timeout", () => {
  for (const rttMs of RTTS_MS) {
    const made = worldOf(rttMs);
    made.b.onStream = (record, nowMs) => made.b.send(nowMs, record, ENDLESS);
    const record = made.upload(10);
    made.world.runFor(2_000);
    made.hostA.changePort(4_999);
    // Nobody hears from the reader until it has something to say: its keepalive, or a question of the application.
    made.world.after(1_000, () => made.hostA.input(() => made.connection.ping()));
    const tookMs = untilMore(made, record, 10_000);
    assert.ok(tookMs < 1_000 + 2_500, `RTT ${rttMs} ms: ${tookMs} ms`);
  }
});

forSeeds(20, "with half of all packets lost a path still follows its peer to the new address", (scenario) => {
  const made = worldOf(scenario.random.pick([5, 50, 150]), 0.5, scenario.seed);
  const record = made.upload(ENDLESS);
  made.world.runFor(1_000);
  if (scenario.random.chance(0.5)) made.hostA.changeAddress("10.0.0.77");
  else made.hostA.changePort(4_999);
  untilMore(made, made.twin(record) ?? assert.fail(), 60_000);
});

test("addresses that change every few seconds take one path id in all", () => {
  const made = worldOf(20);
  const record = made.upload(ENDLESS);
  for (let i = 0; i < 8; i++) {
    made.world.runFor(11_000);
    made.hostA.changeAddress(`10.0.0.${20 + i}`);
    untilMore(made, made.twin(record) ?? assert.fail(), 5_000);
  }
  assert.deepEqual(
    made.accepted.paths.all.map((path) => path.id),
    [1],
  );
});

test("an outage of minutes ends within three seconds of its end", () => {
  for (const [rttMs, outageMs] of [
    [1, 30_000],
    [50, 180_000],
    [300, 540_000],
  ] as const) {
    const made = worldOf(rttMs);
    const record = made.upload(ENDLESS);
    made.world.runFor(2_000);
    made.cut(0);
    made.world.runFor(outageMs);
    assert.ok(made.connection.isStalled);
    made.mend(0);
    const tookMs = untilMore(made, made.twin(record) ?? assert.fail(), 10_000);
    assert.ok(tookMs < 3_000, `RTT ${rttMs} ms: ${tookMs} ms after the end`);
    assert.equal(made.a.count("recovered"), 1);
  }
});

for (const clockStops of [false, true]) {
  const clock = clockStops ? "stands still" : "runs on";
  test(`a laptop that sleeps nine minutes wakes on another network and goes on; its clock ${clock}`, () => {
    for (const isReader of [false, true]) {
      const made = worldOf(40);
      if (isReader) made.b.onStream = (record, nowMs) => made.b.send(nowMs, record, ENDLESS);
      const record = made.upload(isReader ? 10 : ENDLESS);
      made.world.runFor(2_000);
      made.hostA.pause({ packets: "lost", clockStops });
      made.world.runFor(9 * 60_000);
      made.hostA.changeAddress("10.0.0.88");
      made.hostA.resume();
      made.hostA.input(() => made.connection.onNetworkChange());
      const reader = isReader ? record : (made.twin(record) ?? assert.fail());
      const tookMs = untilMore(made, reader, 30_000);
      assert.ok(tookMs < 3_000, `${tookMs} ms after waking`);
      assert.equal(made.a.count("closed") + made.b.count("closed"), 0);
    }
  });
}

test("after a change of network every path is asked at once, and silence is not taken for recovery", () => {
  const made = worldOf(50);
  made.upload(ENDLESS);
  made.world.runFor(1_000);
  made.cut(0);
  made.world.runFor(60_000);
  const sent = made.hostA.datagramsSent;
  made.hostA.input(() => made.connection.onNetworkChange());
  made.world.runFor(1_000);
  assert.ok(made.hostA.datagramsSent >= sent + 2, "asked at once, and again soon");
  assert.equal(made.a.count("recovered"), 0);
  assert.equal(made.connection.activePath?.state, "suspect");
});

// ---- What moves a path, and what does not

const elsewhere = addressOf("198.51.100.99");
const there = (host: string) => (packet: { to: { host: string } }) => packet.to.host === host;

test("a path moves when a challenge has come back from the new place, not before", () => {
  const puppet = new PuppetPeer();
  const heard = puppet.send([{ type: "ping" }], 1, elsewhere);
  const [challenge] = framesOf(heard.filter(there("198.51.100.99")), "path-challenge");
  assert.ok(challenge);
  assert.equal(puppet.connection.activePath?.route.remote.host, "198.51.100.1");
  puppet.send([{ type: "path-response", token: challenge.token }], 0, elsewhere);
  assert.equal(puppet.connection.activePath?.route.remote.host, "198.51.100.99");
  assert.equal(puppet.connection.activePath?.id, 1);
});

test("an answer with a token that nobody sent moves nothing", () => {
  const puppet = new PuppetPeer();
  puppet.send([{ type: "ping" }], 1, elsewhere);
  puppet.send([{ type: "path-response", token: new Uint8Array(8).fill(7) }], 0, elsewhere);
  assert.equal(puppet.connection.activePath?.route.remote.host, "198.51.100.1");
});

test("neither a forged packet nor a replayed nor a late one from elsewhere asks for anything", () => {
  const puppet = new PuppetPeer();
  const late = puppet.packet([{ type: "ping" }], 1, 200);
  const newest = puppet.packet([{ type: "ping" }], 1, 201);
  puppet.deliver(newest);
  const forged = puppet.packet([{ type: "ping" }], 1, 202);
  forged[30] = (forged[30] as number) ^ 1;
  for (const packet of [forged, newest, late]) {
    const heard = puppet.deliver(packet, elsewhere);
    assert.deepEqual(heard.filter(there("198.51.100.99")), []);
  }
});

test("a challenge that is lost is sent again as long as the peer is heard from the new place", () => {
  const puppet = new PuppetPeer();
  let challenges = 0;
  for (let i = 0; i < 100; i++) {
    challenges += framesOf(puppet.send([{ type: "ping" }], 1, elsewhere), "path-challenge").length;
    puppet.pass(50);
  }
  assert.ok(challenges >= 10 && challenges <= 40, `${challenges} in five seconds`);
});

test("a peer that is heard from two places by turns gets a path for each, and neither starts anew all the time", () => {
  const puppet = new PuppetPeer();
  const places = [puppet.address, elsewhere];
  for (let i = 0; i < 400; i++) {
    const heard = puppet.send([{ type: "ping" }], 1, places[i % 2]);
    heard.push(...puppet.pass(50));
    heard.push(...puppet.acknowledge(heard));
    for (const place of places) {
      for (const { token } of framesOf(heard.filter(there(place.host)), "path-challenge")) {
        puppet.send([{ type: "path-response", token }], 0, place);
      }
    }
  }
  assert.equal(puppet.connection.paths.all.length, 2);
  assert.ok(puppet.victim.count("path-validated") <= 6, `${puppet.victim.count("path-validated")} validations`);
});

test("acknowledgements of a path whose way back is silent go over one that works", () => {
  const made = new MultiPathWorld(new World({ seed: 1 }), {
    networks: [{ delayMs: 10, rateMbps: 5, queueBytes: 60_000 }],
    relay: { delayMs: 20, rateMbps: 5, queueBytes: 60_000 },
  }).connect();
  const record = made.upload(ENDLESS);
  made.b.onStream = () => {};
  made.world.runFor(2_000);
  made.cut(0, "a");
  // B notices only by something of its own that is not answered.
  made.hostB.input(() => made.accepted.ping());
  made.world.runFor(6_000);
  const lane = made.connection.paths.byRoute(made.lanes[0]?.routes[0] ?? assert.fail());
  assert.equal(lane?.state, "working", "what A sends there arrives, and A hears of it over the relay");
  assert.ok(record.sent > 0);
});
