// Rules between chosen hosts drop what they say and nothing else.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ProbeMachine } from "./probe-machine.ts";
import { probePair, sizes } from "./probe-pair.ts";

test("a cut between two hosts stops them both ways and nobody else, until it is healed", () => {
  const { world, a, b, sender, receiver } = probePair();
  const other = new ProbeMachine();
  const c = world.addHost("C", { ip: "198.51.100.3" });
  c.run(other);
  const exchange = (): number[][] => {
    sender.send(b.address, new Uint8Array(1));
    sender.send(c.address, new Uint8Array(2));
    receiver.send(a.address, new Uint8Array(3));
    world.runFor(5);
    return [sender, receiver, other].map((machine) => machine.received.splice(0).map(({ bytes }) => bytes.length));
  };
  world.firewall.cut(a, b);
  assert.deepEqual(exchange(), [[], [], [2]]);
  world.firewall.heal(a, b);
  assert.deepEqual(exchange(), [[3], [1], [2]]);
  world.firewall.cutOneWay(a, b);
  assert.deepEqual(exchange(), [[3], [], [2]]);
});

test("a rule drops what meets all of its conditions", () => {
  const { world, b, sender, receiver } = probePair();
  const rule = world.firewall.add({ to: b, longerThanBytes: 100, matches: (payload) => payload[0] === 7 });
  for (const [lengthBytes, first] of [
    [100, 7],
    [101, 7],
    [102, 8],
  ] as const) {
    sender.send(b.address, new Uint8Array(lengthBytes).fill(first));
  }
  world.runFor(5);
  assert.deepEqual(sizes(receiver), [100, 102]);
  world.firewall.remove(rule);
  sender.send(b.address, new Uint8Array(101).fill(7));
  world.runFor(5);
  assert.equal(receiver.last?.bytes.length, 101);
});
