// The lab itself: it comes up fast, cleans up behind itself whatever happens, and touches nothing that is not its own.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Lab } from "./lab.ts";
import { LabProcess } from "./lab-process.ts";
import { MachinePace } from "./machine-pace.ts";

/** A process whose parent is gone may stay in the table until its new parent looks at it. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

const namespaces = (): string[] => readdirSync("/run/netns").sort();

test("a lab of two sites, one behind a carrier-grade NAT, comes up within 1.5 s", async () => {
  const pace = new MachinePace();
  await pace.look();
  const startMs = performance.now();
  const lab = await Lab.create({ A: "carrier-grade", B: "symmetric" });
  const tookMs = performance.now() - startMs;
  await lab.destroy();
  assert.ok(tookMs < (await pace.allowedMs(1500)), `it took ${tookMs} ms`);
});

test("destroying a lab ends its programs and removes its namespaces and its folder", async () => {
  const before = namespaces();
  const lab = await Lab.create({ A: "none" });
  const stubborn = lab.spawn(lab.sites.A.host, [
    "sh",
    "-c",
    "trap '' TERM INT HUP; echo up; while :; do sleep 1; done",
  ]);
  await stubborn.waitForLine(/up/, 5000);
  await lab.destroy();
  assert.equal((await stubborn.ended).signal, "SIGKILL");
  assert.deepEqual(namespaces(), before);
  assert.equal(existsSync(lab.scratch), false);
});

test("a test that is killed leaves nothing behind", async () => {
  const before = namespaces();
  const module = fileURLToPath(new URL("./lab.js", import.meta.url));
  const code = `
    import { Lab } from ${JSON.stringify(module)};
    const lab = await Lab.create({ A: "symmetric" });
    const child = lab.spawn(lab.sites.A.host, ["sleep", "300"]);
    console.log(JSON.stringify({ event: "up", pid: child.pid, scratch: lab.scratch }));
    setInterval(() => {}, 1000);`;
  const victim = new LabProcess("the test", [process.execPath, "--input-type=module", "-e", code]);
  const { pid, scratch } = (await victim.waitForJson("up", 10_000)).fields as { pid: number; scratch: string };
  assert.notDeepEqual(namespaces(), before);
  await victim.stop("SIGKILL");
  const deadlineMs = performance.now() + 5000;
  while (performance.now() < deadlineMs && (namespaces().length > before.length || existsSync(scratch) || isAlive(pid)))
    await sleep(20);
  assert.deepEqual(namespaces(), before);
  assert.equal(existsSync(scratch), false);
  assert.equal(isAlive(pid), false);
});

test("a namespace that was there before stays, even where the lab wanted its name", async () => {
  const first = await Lab.create({});
  await first.destroy();
  const [, process, number] = /^lab(\d+)-(\d+)-/.exec(first.rendezvous.namespace) as unknown as [
    string,
    string,
    string,
  ];
  const taken = `lab${process}-${Number(number) + 1}-rendezvous`;
  execFileSync("ip", ["netns", "add", taken]);
  try {
    await assert.rejects(Lab.create({}), /could not be built/);
    assert.deepEqual(
      namespaces().filter((name) => name.startsWith(`lab${process}-`)),
      [taken],
    );
  } finally {
    execFileSync("ip", ["netns", "delete", taken]);
  }
});

test("a program's events, lines and end are seen as they come, and a wait says what it saw instead", async () => {
  const code = 'console.log("{\\"event\\":\\"a\\",\\"n\\":1}\\nplain"); console.error("oops"); process.exitCode = 3;';
  const program = new LabProcess("the program", [process.execPath, "-e", code]);
  assert.equal((await program.waitForJson("a", 5000)).fields.n, 1);
  await assert.rejects(program.waitForJson("b", 5000), /ended \(3\) without "b"(?:.|\n)*plain(?:.|\n)*oops/);
  assert.deepEqual((await program.ended).code, 3);
});
