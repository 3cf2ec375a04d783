// The demo: the whole thing on one machine, and nothing left behind.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { temporaryDirectory } from "../daemon/temporary-directory.ts";
import { Programs } from "./program.ts";

test("the demo measures the relay and then the direct path, ends with 0 and leaves nothing behind", async (t) => {
  const TMPDIR = temporaryDirectory(t);
  const demo = new Programs(t).start("demo", ["demo"], { TMPDIR });
  assert.equal(await demo.exited, 0, demo.stderr);
  const text = demo.lines.join("\n");
  for (const way of ["over the relay", "directly"]) {
    assert.match(text, new RegExp(`${way} +first byte after [\\d.]+ ms +round trip [\\d.]+ ms +\\d+ Mbit/s`));
  }
  assert.match(text, /tunnel expose 3000 --rendezvous/, "what to do next");
  assert.equal(demo.stderr, "");
  assert.deepEqual(readdirSync(TMPDIR), []);
});

test("with --json the demo's figures are events", async (t) => {
  const demo = new Programs(t).start("demo", ["demo", "--json"], { TMPDIR: temporaryDirectory(t) });
  assert.equal(await demo.exited, 0, demo.stderr);
  const order = demo.events.map(({ event, via }) => `${event} ${via}`);
  assert.deepEqual(order, ["path relay", "measured relay", "path direct", "measured direct"]);
  for (const measured of demo.events.filter(({ event }) => event === "measured")) {
    for (const field of ["firstByteMs", "roundTripMs", "megabitsPerSecond"])
      assert.ok(Number(measured[field]) > 0, field);
  }
});

test("a demo that is interrupted ends what it started", async (t) => {
  const TMPDIR = temporaryDirectory(t);
  const demo = new Programs(t).start("demo", ["demo"], { TMPDIR });
  const line = await demo.until(() => demo.lines.find((said) => said.includes("http://")));
  demo.signal("SIGINT");
  assert.equal(await demo.exited, 0);
  assert.deepEqual(readdirSync(TMPDIR), []);
  const url = /http:\/\/\S+/.exec(line)?.[0] as string;
  await sleep(50);
  await assert.rejects(fetch(url), "nobody listens there any more");
});
