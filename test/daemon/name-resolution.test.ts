// Names that come late, change, or never come.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { formatSocketAddress } from "../../src/base/address.ts";
import { NAME_REFRESH_MS, NAME_REFRESH_MS_MIN, NAME_RETRY_MS_MIN, NAME_SILENT_MS } from "../../src/base/limits.ts";
import { type Lookup, NameResolution } from "../../src/daemon/name-resolution.ts";

function resolve(t: TestContext, host: string, lookup: Lookup, families: readonly (4 | 6)[] = [4, 6]) {
  const said = { addresses: [] as string[], unknown: [] as string[] };
  const resolution = new NameResolution({
    host,
    port: 4700,
    families,
    onAddresses: (addresses) => said.addresses.push(addresses.map(formatSocketAddress).join(" ")),
    onUnknown: (message) => said.unknown.push(message),
    lookup,
  });
  t.after(() => resolution.stop());
  return { said, resolution };
}

/** Lets promises run their course while the timers of the test stand still. */
const settle = (): Promise<void> => new Promise((done) => setImmediate(() => setImmediate(done)));

test("an IP address is never looked up", async (t) => {
  const { said, resolution } = resolve(t, "192.0.2.1", () => assert.fail("looked up"));
  resolution.start();
  resolution.refresh(1e9);
  await settle();
  assert.deepEqual(said.addresses, ["192.0.2.1:4700"]);
});

test("a name that is not known is tried again until it is, and that is said once", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let tries = 0;
  const { said, resolution } = resolve(t, "meet.example", async () => {
    if (++tries < 4) throw Object.assign(new Error("no"), { code: "ENOTFOUND" });
    return ["192.0.2.7"];
  });
  resolution.start();
  for (let i = 0; i < 4; i++) {
    await settle();
    t.mock.timers.tick(NAME_RETRY_MS_MIN * 2 ** i);
  }
  await settle();
  assert.equal(tries, 4);
  assert.equal(said.unknown.length, 1);
  assert.match(said.unknown[0] as string, /meet\.example: no such host/);
  assert.deepEqual(said.addresses, ["192.0.2.7:4700"]);
});

test("a name that moves is told again, one that stays or fails for a while is not", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const answers = [["192.0.2.1"], ["192.0.2.1"], [], ["192.0.2.2"]];
  const { said, resolution } = resolve(t, "meet.example", async () => answers.shift() ?? []);
  resolution.start();
  for (let i = 0; i < 4; i++) {
    await settle();
    t.mock.timers.tick(NAME_REFRESH_MS);
  }
  await settle();
  assert.deepEqual(said.addresses, ["192.0.2.1:4700", "192.0.2.2:4700"]);
  assert.equal(said.unknown.length, 0);
});

test("addresses of a family that the socket does not reach are left out", async (t) => {
  const { said, resolution } = resolve(t, "meet.example", async () => ["2001:db8::1", "192.0.2.1"], [4]);
  resolution.start();
  await settle();
  assert.deepEqual(said.addresses, ["192.0.2.1:4700"]);
});

test("asking often does not look up often", async (t) => {
  let lookups = 0;
  const { resolution } = resolve(t, "meet.example", async () => {
    lookups++;
    return ["192.0.2.1"];
  });
  for (let i = 0; i < 10; i++) resolution.refresh(1000 + i);
  await settle();
  resolution.refresh(1000 + NAME_REFRESH_MS_MIN);
  await sleep(5);
  assert.equal(lookups, 2);
});

test("a name whose addresses do not answer is looked up often, until they do", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let lookups = 0;
  const { said, resolution } = resolve(t, "meet.example", async () => [++lookups < 4 ? "192.0.2.1" : "192.0.2.9"]);
  resolution.start();
  await settle();
  resolution.setSilent(1_000, true);
  for (let i = 0; i < 2; i++) {
    await settle();
    t.mock.timers.tick(NAME_SILENT_MS);
  }
  await settle();
  assert.deepEqual(said.addresses, ["192.0.2.1:4700", "192.0.2.9:4700"]);
  resolution.setSilent(30_000, false);
  // What is set already still comes.
  t.mock.timers.tick(NAME_SILENT_MS);
  await settle();
  const before = lookups;
  t.mock.timers.tick(NAME_SILENT_MS * 3);
  await settle();
  assert.equal(lookups, before);
});

test("a rendezvous that falls silent just after its name was looked up is looked up soon", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let lookups = 0;
  const { resolution } = resolve(t, "meet.example", async () => {
    lookups++;
    return ["192.0.2.1"];
  });
  resolution.refresh(1_000);
  await settle();
  resolution.setSilent(1_001, true);
  await settle();
  assert.equal(lookups, 1);
  t.mock.timers.tick(NAME_SILENT_MS);
  await settle();
  assert.equal(lookups, 2);
});
