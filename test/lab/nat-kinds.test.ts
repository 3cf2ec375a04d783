// Every kind of NAT in the lab behaves as it is named: mapping, filtering, and whether ports are preserved, as a host
// behind it sees them. What follows in this folder stands on this.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Lab } from "./lab.ts";
import { assertNats, expectedBehaviour, observeNats } from "./nat-observation.ts";
import type { NatKind, SiteKind } from "./router-rules.ts";

const kinds: SiteKind[] = [...(Object.keys(expectedBehaviour) as NatKind[]), "dual-stack", "v6-firewall"];

for (const kind of kinds) {
  test(`what is called ${kind} behaves as such`, async () => {
    const lab = await Lab.create({ A: kind });
    try {
      await assertNats(lab, lab.sites.A);
    } finally {
      await lab.destroy();
    }
  });
}

test("behind a carrier-grade NAT there are two translations, one behind the other", async (context) => {
  const lab = await Lab.create({ A: "carrier-grade" });
  context.after(() => lab.destroy());
  const { host, router, outerRouter } = lab.sites.A;
  await observeNats(lab, lab.sites.A);
  const [inner, outer] = await Promise.all([router, outerRouter].map((node) => lab.faults.flowsAlive(node)));
  assert.ok(inner?.some((flow) => flow.includes(`src=${host.address}`) && flow.includes(`dst=${router.address}`)));
  assert.ok(
    outer?.some((flow) => flow.includes(`src=${router.address}`) && flow.includes(`dst=${outerRouter.address}`)),
  );
});

test("a router that blocks UDP lets TCP pass", async (context) => {
  const lab = await Lab.create({ A: "udp-blocked" });
  context.after(() => lab.destroy());
  const server = lab.spawn(lab.rendezvous, ["nc", "-l", "-N", "-n", "-v", "7000"]);
  await server.waitForLine(/Listening/, 5000);
  server.write("through\n");
  server.endInput();
  assert.equal(await lab.output(lab.sites.A.host, ["nc", lab.rendezvous.address, "7000"]), "through");
});

let lab: Lab<"A" | "B">;
before(async () => {
  lab = await Lab.create({ A: "none", B: "port-restricted" });
});
after(() => lab.destroy());

test("a host without NAT can be dialled from behind one, and not the other way round", async () => {
  const { A, B } = lab.sites;
  const reaches = async (from: typeof A, to: typeof A): Promise<boolean> => {
    const server = lab.spawn(to.host, ["nc", "-l", "-N", "-n", "-v", "7000"]);
    await server.waitForLine(/Listening/, 5000);
    const end = await lab.exec(from.host, ["nc", "-n", "-z", "-w", "1", to.host.publicAddresses[0] as string, "7000"]);
    await server.stop("SIGKILL");
    return end.code === 0;
  };
  assert.equal(await reaches(B, A), true);
  assert.equal(await reaches(A, B), false);
});
