// The plan of both sides from both behaviours: whatever the two NATs are, the two roles fit together.

import assert from "node:assert/strict";
import { test } from "node:test";
import { punchRole } from "../../src/traversal/punch-plan.ts";
import type { NatBehaviour, NatDependence } from "../../src/wire/candidate.ts";

const nat = (mapping: NatDependence, filtering: NatDependence): NatBehaviour => ({
  mapping,
  filtering,
  portsPreserved: false,
});
const easy = nat("endpoint-independent", "address-and-port-dependent");
const open = nat("endpoint-independent", "endpoint-independent");
const hard = nat("address-and-port-dependent", "address-and-port-dependent");
const unknown = nat("unknown", "unknown");

test("two easy NATs punch at the same time, and what is unknown is taken for easy", () => {
  for (const theirs of [easy, open, unknown]) {
    for (const ours of [easy, open, unknown]) assert.equal(punchRole(ours, theirs), "simultaneous");
  }
});

test("against a hard NAT one side opens sockets and the other sprays ports, where ports are filtered", () => {
  assert.equal(punchRole(hard, easy), "open-sockets");
  assert.equal(punchRole(easy, hard), "spray-ports");
  assert.equal(punchRole(hard, unknown), "open-sockets");
  assert.equal(punchRole(unknown, hard), "spray-ports");
});

test("a hard NAT simply dials a side that lets any port in", () => {
  assert.equal(punchRole(hard, open), "simultaneous");
  assert.equal(punchRole(open, hard), "simultaneous");
  assert.equal(punchRole(hard, nat("endpoint-independent", "address-dependent")), "simultaneous");
});

test("two hard NATs stay on the relay", () => {
  assert.equal(punchRole(hard, hard), "relay");
  assert.equal(punchRole(nat("address-dependent", "address-dependent"), hard), "relay");
});

test("the two sides' roles always belong together", () => {
  const dependences: NatDependence[] = [
    "unknown",
    "endpoint-independent",
    "address-dependent",
    "address-and-port-dependent",
  ];
  const all = dependences.flatMap((mapping) => dependences.map((filtering) => nat(mapping, filtering)));
  const counterpart = {
    simultaneous: "simultaneous",
    relay: "relay",
    "open-sockets": "spray-ports",
    "spray-ports": "open-sockets",
  };
  for (const a of all) for (const b of all) assert.equal(punchRole(b, a), counterpart[punchRole(a, b)]);
});
