// What links do to packets, in exact figures where there are any.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DATAGRAM_BYTES_MIN } from "../../src/base/limits.ts";
import { forSeeds } from "./for-seeds.ts";
import type { Host } from "./host.ts";
import type { LinkSettings } from "./link.ts";
import { fairLink, roughLink } from "./link-weather.ts";
import { ProbeMachine } from "./probe-machine.ts";
import { World } from "./world.ts";

interface Pair {
  readonly world: World;
  readonly a: Host;
  readonly b: Host;
  readonly sender: ProbeMachine;
  readonly receiver: ProbeMachine;
}

/** Two hosts in the internet; the link is the one from A up, all others are perfect. */
function pair(link: Partial<LinkSettings>, seed = 1): Pair {
  const world = new World({ seed });
  const a = world.addHost("A", { ip: "198.51.100.1", up: link });
  const b = world.addHost("B", { ip: "198.51.100.2" });
  const sender = new ProbeMachine();
  const receiver = new ProbeMachine();
  a.run(sender);
  b.run(receiver);
  return { world, a, b, sender, receiver };
}

/** Sends `count` datagrams of one size, numbered in their first two bytes. */
function sendNumbered({ a, b, sender }: Pair, count: number, lengthBytes: number): void {
  for (let i = 0; i < count; i++) {
    const bytes = new Uint8Array(lengthBytes);
    bytes[0] = i >> 8;
    bytes[1] = i;
    sender.send(b.address, bytes);
  }
  a.drain();
}

const numbers = ({ receiver }: Pair): number[] =>
  receiver.received.map(({ bytes }) => (bytes[0] as number) * 256 + (bytes[1] as number));

test("a datagram arrives after the delay of the links on its way", () => {
  const p = pair({ delayMs: 7 });
  p.b.attachment.down.change({ delayMs: 5.5 });
  sendNumbered(p, 1, 100);
  p.world.runFor(20);
  assert.deepEqual(
    p.receiver.received.map(({ atMs }) => atMs),
    [12.5],
  );
});

test("serialization takes the IP packet's bits divided by the rate, one packet behind the other", () => {
  // 1222 bytes of payload are 1250 bytes on the link, which are 10,000 bits: 1 ms at 10 Mbit/s.
  const p = pair({ rateMbps: 10, delayMs: 3 });
  sendNumbered(p, 3, 1222);
  p.world.runFor(20);
  assert.deepEqual(
    p.receiver.received.map(({ atMs }) => atMs),
    [4, 5, 6],
  );
});

test("an IPv6 packet is 20 bytes longer on the link", () => {
  const world = new World();
  const a = world.addHost("A", { ip: "2001:db8::1", up: { rateMbps: 10 } });
  const b = world.addHost("B", { ip: "2001:db8::2" });
  const [sender, receiver] = [new ProbeMachine(), new ProbeMachine()];
  b.run(receiver);
  sender.send(b.address, new Uint8Array(1202));
  a.run(sender);
  world.runFor(10);
  assert.equal(receiver.last?.atMs, 1);
});

test("a queue keeps what fits its bytes and drops from the tail", () => {
  const p = pair({ rateMbps: 10, queueBytes: 5000 });
  sendNumbered(p, 7, 1222);
  assert.equal(p.a.attachment.up.queuedBytes, 5000);
  p.world.runFor(2);
  assert.equal(p.a.attachment.up.queuedBytes, 2500);
  sendNumbered(p, 2, 1222);
  p.world.runFor(20);
  assert.deepEqual(numbers(p), [0, 1, 2, 3, 0, 1]);
  assert.equal(p.world.drops.get("queue is full"), 3);
});

test("a packet above the MTU vanishes, one of exactly the MTU passes", () => {
  const p = pair({ mtuBytes: 1500 });
  p.sender.send(p.b.address, new Uint8Array(1473));
  p.sender.send(p.b.address, new Uint8Array(1472));
  p.world.runFor(1);
  assert.deepEqual(
    p.receiver.received.map(({ bytes }) => bytes.length),
    [1472],
  );
  assert.equal(p.world.drops.get("MTU"), 1);
});

test("uniform loss takes its share", () => {
  const p = pair({ delayMs: 1, lossProbability: 0.1 });
  sendNumbered(p, 10_000, 20);
  p.world.runFor(2);
  assert.ok(Math.abs(p.receiver.received.length - 9_000) < 150, `${p.receiver.received.length} of 10,000 arrived`);
});

test("bursty loss comes in runs of the length that the model gives", () => {
  // A share of 0.01 / (0.01 + 0.2) of packets meets the bad state, in bursts of 5 on average.
  const p = pair({ delayMs: 1, burstLoss: { enterProbability: 0.01, leaveProbability: 0.2, lossProbability: 1 } });
  sendNumbered(p, 20_000, 20);
  p.world.runFor(2);
  let bursts = 0;
  let previous = -1;
  for (const number of numbers(p)) {
    if (number > previous + 1) bursts++;
    previous = number;
  }
  const lost = 20_000 - p.receiver.received.length;
  assert.ok(Math.abs(lost / 20_000 - 0.0476) < 0.015, `${lost} lost`);
  assert.ok(Math.abs(lost / bursts - 5) < 1, `${lost} lost in ${bursts} bursts`);
});

test("jitter spreads arrivals and keeps their order", () => {
  const p = pair({ rateMbps: 100, delayMs: 10, jitterMs: 8 });
  sendNumbered(p, 500, 1000);
  p.world.runFor(100);
  assert.deepEqual(
    numbers(p),
    Array.from({ length: 500 }, (_, i) => i),
  );
  const first = p.receiver.received[0]?.atMs as number;
  assert.ok(first > 10 && first < 18.1, `${first}`);
  assert.ok((p.receiver.last?.atMs as number) <= 500 * 0.08224 + 18.001);
});

test("a reordered packet is overtaken by those behind it, and none is lost", () => {
  const p = pair({ rateMbps: 100, delayMs: 10, reorderProbability: 0.1, reorderMs: 5 });
  sendNumbered(p, 1000, 1000);
  p.world.runFor(200);
  const order = numbers(p);
  assert.equal(new Set(order).size, 1000);
  const late = order.filter((number, i) => i > 0 && number < (order[i - 1] as number)).length;
  assert.ok(late > 30 && late < 130, `${late} late ones`);
});

test("a duplicated packet arrives twice, byte for byte", () => {
  const p = pair({ duplicateProbability: 0.2 });
  sendNumbered(p, 1000, 50);
  p.world.runFor(10);
  const counts = new Map<number, number>();
  for (const number of numbers(p)) counts.set(number, (counts.get(number) ?? 0) + 1);
  const twice = [...counts.values()].filter((count) => count === 2).length;
  assert.equal(counts.size, 1000);
  assert.equal(p.receiver.received.length, 1000 + twice);
  assert.ok(Math.abs(twice - 200) < 60, `${twice} twice`);
});

test("a link that is cut loses everything until it is mended", () => {
  const p = pair({ isCut: true });
  sendNumbered(p, 3, 50);
  p.a.attachment.up.change({ isCut: false });
  sendNumbered(p, 2, 50);
  p.world.runFor(1);
  assert.deepEqual(numbers(p), [0, 1]);
});

test("no packet is ever lost from the books", () => {
  const p = pair({
    rateMbps: 5,
    delayMs: 5,
    jitterMs: 3,
    lossProbability: 0.1,
    reorderProbability: 0.1,
    reorderMs: 9,
    duplicateProbability: 0.1,
    queueBytes: 100_000,
  });
  sendNumbered(p, 500, 800);
  assert.ok(p.world.packets.inFlight > 0);
  p.world.runFor(1_000);
  assert.equal(p.world.packets.inFlight, 0);
  const { up } = p.a.attachment;
  assert.equal(up.offered, 500);
  assert.equal(up.delivered, p.receiver.received.length);
});

forSeeds(100, "every drawn link lets datagrams of the least size pass, some of the time", ({ random, world }) => {
  for (const link of [fairLink(random), roughLink(random)]) {
    const sim = world();
    const a = sim.addHost("A", { ip: "198.51.100.1", up: link });
    const b = sim.addHost("B", { ip: "198.51.100.2" });
    const [sender, receiver] = [new ProbeMachine(), new ProbeMachine()];
    a.run(sender);
    b.run(receiver);
    for (let i = 0; i < 20; i++) sim.at(i * 10, () => sender.send(b.address, new Uint8Array(DATAGRAM_BYTES_MIN)));
    sim.runFor(1_000);
    assert.ok(receiver.received.length >= 5, `${receiver.received.length} of 20 over ${JSON.stringify(link)}`);
  }
});
