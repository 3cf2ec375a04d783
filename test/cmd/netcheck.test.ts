// The check of the network as a person and as a script start it, against a rendezvous on this machine.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { createIdentity } from "../../src/crypto/identity.ts";
import { formatPeerId } from "../../src/crypto/peer-id.ts";
import { systemRandom } from "../../src/io/system-random.ts";
import { type JsonEvent, Programs } from "./program.ts";

/** Starts a rendezvous with two ports on two addresses. @returns the programs and where it is. */
async function start(
  t: TestContext,
): Promise<{ programs: Programs; address: string; websocketPort: unknown; id: string }> {
  const programs = new Programs(t);
  const port = 30_000 + (process.pid % 20_000);
  const places = ["--listen", "127.0.0.1:0", "--alternate", `127.0.0.2:${port}`, "--websocket", "127.0.0.1:0"];
  const ready = await programs.start("rendezvous", ["rendezvous", ...places, "--json"]).event("ready");
  return { programs, address: String(ready.listen), websocketPort: ready.websocketPort, id: String(ready.id) };
}

type Report = JsonEvent & {
  readonly ok: boolean;
  readonly relay: boolean | null;
  readonly ipv4: Readonly<Record<string, unknown>>;
  readonly rendezvous: readonly Readonly<Record<string, unknown>>[];
  readonly stun: readonly Readonly<Record<string, unknown>>[];
};

const reportOf = (lines: readonly string[]): Report => {
  assert.equal(lines.length, 1, "one object and nothing else");
  return JSON.parse(lines[0] as string) as Report;
};

test("with --json there is one object with what was measured, and the exit code is 0", async (t) => {
  const { programs, address, websocketPort, id } = await start(t);
  const { code, lines, stderr } = await programs.run([
    "netcheck",
    "--no-port-mapping",
    "--rendezvous",
    `${id}@${address}/${websocketPort}`,
    "--json",
  ]);
  const report = reportOf(lines);
  assert.deepEqual([code, stderr, report.event, report.ok, report.relay], [0, "", "netcheck", true, true]);
  const { udp, translated, mapping, filtering, portsPreserved } = report.ipv4;
  assert.deepEqual([udp, translated, portsPreserved], [true, false, true]);
  assert.deepEqual([mapping, filtering], ["endpoint-independent", "endpoint-independent"]);
  const [rendezvous] = report.rendezvous;
  assert.deepEqual(
    [rendezvous?.address, rendezvous?.id, rendezvous?.tcp, rendezvous?.alternates, rendezvous?.trouble],
    [address, id, "answered", "address", null],
  );
  const streams = rendezvous?.streams as { over: string }[] | undefined;
  const overs = (streams ?? []).map(({ over }) => over);
  assert.deepEqual(overs.sort(), ["tcp", "websocket"], "it is reached without UDP, too");
});

test("the text says first whether tunnels work", async (t) => {
  const { programs, address } = await start(t);
  const { code, lines } = await programs.run(["netcheck", "--no-port-mapping", "--rendezvous", address]);
  assert.equal(code, 0);
  assert.match(lines.slice(0, 3).join(" "), /Tunnels work from here/);
  assert.match(lines.join("\n"), /Through the rendezvous +yes/);
});

test("where nobody answers it says what to look at, and the exit code is 1", async (t) => {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  t.after(() => socket.close());
  await once(socket, "listening");
  const programs = new Programs(t);
  const args = [
    "netcheck",
    "--no-port-mapping",
    "--rendezvous",
    `127.0.0.1:${socket.address().port}`,
    "--stun",
    "nowhere.invalid",
  ];
  const { code, lines, stderr } = await programs.run([...args, "--json"]);
  const report = reportOf(lines);
  assert.deepEqual([code, stderr, report.ok, report.relay], [1, "", false, false]);
  assert.deepEqual(report.stun[0]?.addresses, []);
  assert.match((report.advice as string[]).join(" "), /runs.*nowhere\.invalid:3478/);
});

test("the lifetime of a mapping is measured where it is asked for", async (t) => {
  const { programs, address } = await start(t);
  const env = { TUNNEL_TEST_LIFETIME_MS: "200,400" };
  const { code, lines } = await programs.run(
    ["netcheck", "--no-port-mapping", "--rendezvous", address, "--lifetime", "--json"],
    env,
  );
  assert.equal(code, 0);
  assert.deepEqual(reportOf(lines).ipv4.lifetime, { atLeastSeconds: 0.4, belowSeconds: null });
});

test("another rendezvous than the one that was named is not taken for it", async (t) => {
  const { programs, address } = await start(t);
  const other = formatPeerId(createIdentity(systemRandom).publicKey);
  const { code, lines } = await programs.run([
    "netcheck",
    "--no-port-mapping",
    "--rendezvous",
    `${other}@${address}`,
    "--json",
  ]);
  const report = reportOf(lines);
  assert.deepEqual([code, report.ok], [1, false]);
  assert.match(String(report.rendezvous[0]?.trouble), /another key/);
});
