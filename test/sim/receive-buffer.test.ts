// Datagrams are joined as GRO joins them: one flow, one size, a shorter one last, and no more than the kernel takes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ProbeMachine } from "./probe-machine.ts";
import { probePair, sizes } from "./probe-pair.ts";

test("datagrams of one flow and size are joined, and only those, by the seed", () => {
  const { world, b, sender, receiver } = probePair({ joinProbability: 1, joinMs: 0 }, 1);
  const other = new ProbeMachine();
  world.addHost("C", { ip: "198.51.100.3", link: { delayMs: 1 } }).run(other);
  sender.send(b.address, new Uint8Array(2500).fill(1), 1000);
  sender.send(b.address, new Uint8Array(1000).fill(2));
  sender.send(b.address, new Uint8Array(400).fill(3));
  sender.send(b.address, new Uint8Array(500).fill(4));
  sender.send(b.address, new Uint8Array(700).fill(5));
  other.send(b.address, new Uint8Array(700).fill(6));
  world.runFor(2);
  // A sends everything before C does. A shorter datagram ends what it is joined to, a longer one begins anew, and so does another flow.
  assert.deepEqual(sizes(receiver), [2500, 1400, 500, 700, 700]);
  assert.equal(b.datagramsReceived, 8);
});

test("joining depends on the seed and loses nothing", () => {
  const counts = new Set<number>();
  for (let seed = 1; seed <= 10; seed++) {
    const { world, b, sender, receiver } = probePair({ seed, joinProbability: 0.5, joinMs: 2 });
    for (let i = 0; i < 100; i++) world.at(i / 10, () => sender.send(b.address, new Uint8Array(100).fill(i)));
    world.runFor(20);
    const bytes = Buffer.concat(receiver.received.map((datagram) => datagram.bytes));
    assert.deepEqual(bytes, Buffer.concat(Array.from({ length: 100 }, (_, i) => Buffer.alloc(100, i))));
    counts.add(receiver.received.length);
  }
  assert.ok(counts.size > 3 && Math.max(...counts) < 100, `${[...counts]}`);
});

test("at most 64 datagrams and 65,507 bytes are joined", () => {
  const { world, b, sender, receiver } = probePair({ joinProbability: 1, joinMs: 0 });
  sender.send(b.address, new Uint8Array(6500), 100);
  world.runFor(2);
  assert.deepEqual(sizes(receiver), [6400, 100]);
  for (let i = 0; i < 3; i++) sender.send(b.address, new Uint8Array(30_000));
  world.runFor(2);
  assert.deepEqual(sizes(receiver).slice(2), [60_000, 30_000]);
});
