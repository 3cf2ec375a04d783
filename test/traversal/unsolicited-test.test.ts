// Which routers take unsolicited packets in, and which give ports in sequence: seen from behind each kind.

import assert from "node:assert/strict";
import { natBehaviourOf } from "../../src/traversal/nat-report.ts";
import { forSeeds } from "../sim/for-seeds.ts";
import type { NatKind } from "../sim/topology.ts";
import { addClient, addStunServer, discover } from "./stun-topology.ts";

const kinds: readonly NatKind[] = [
  "none",
  "fullCone",
  "addressRestricted",
  "portRestricted",
  "linux",
  "cgn",
  "badRouter",
  "symmetric",
  "cgnSymmetric",
  "symmetricSequential",
  "symmetricStriding",
];

for (const kind of kinds) {
  const isBad = kind === "badRouter";
  const isSequential = kind === "symmetricSequential" || kind === "symmetricStriding";
  const what = isBad ? "takes unsolicited packets in" : isSequential ? "gives ports in sequence" : "does neither";
  forSeeds(10, `${kind}: it is seen that it ${what}`, (scenario) => {
    const world = scenario.world();
    const server = addStunServer(world, "full");
    const nat = natBehaviourOf(discover(world, addClient(world, kind), [server]));
    assert.equal(nat.takesUnsolicited ?? false, isBad);
    assert.equal(nat.portStride !== undefined, isSequential, `stride ${nat.portStride}`);
    if (kind === "symmetricSequential") assert.equal(nat.portStride, 1);
  });
}

forSeeds(20, "no loss makes a decent router look bad", (scenario) => {
  const world = scenario.world();
  const server = addStunServer(world, "full");
  const report = discover(world, addClient(world, "linux", { lossProbability: 0.1 }), [server]);
  assert.notEqual(report.takesUnsolicited.value, true);
});
