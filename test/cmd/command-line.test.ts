// What scripts may rely on of the commands that need no network.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Programs } from "./program.ts";

test("--version is the version of the package", async (t) => {
  const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  assert.deepEqual(await new Programs(t).run(["--version"]), { code: 0, lines: [version], stderr: "" });
});

test("--help lists the commands, and each has a help of its own", async (t) => {
  const programs = new Programs(t);
  const help = await programs.run(["--help"]);
  assert.equal(help.code, 0);
  for (const command of ["rendezvous", "expose", "connect", "id", "netcheck", "demo"]) {
    assert.match(help.lines.join("\n"), new RegExp(`tunnel ${command}`));
    const own = await programs.run([command, "--help"]);
    assert.equal(own.code, 0);
    assert.match(own.lines.join("\n"), new RegExp(`tunnel ${command}`));
    // Its columns are measured by the number of characters.
    assert.match(own.lines.join(""), /^[ -~]*$/);
  }
});

test("id prints the same 52 characters every time, in JSON where asked", async (t) => {
  const programs = new Programs(t);
  const first = await programs.run(["id"]);
  assert.match(first.lines[0] as string, /^[a-z2-7]{52}$/);
  const second = await programs.run(["id", "--json"]);
  assert.deepEqual(JSON.parse(second.lines[0] as string), { event: "id", peerId: first.lines[0] });
  assert.deepEqual([first.code, second.code, first.stderr], [0, 0, ""]);
});

test("a rendezvous says where it listens, keeps its id, and ends with 0 on both signals", async (t) => {
  const programs = new Programs(t);
  const ids = new Set<unknown>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const rendezvous = programs.start("rendezvous", ["rendezvous", "--listen", "127.0.0.1:0", "--json"]);
    const ready = await rendezvous.event("ready");
    assert.match(String(ready.listen), /^127\.0\.0\.1:\d+$/);
    assert.deepEqual(Object.keys(ready), ["event", "listen", "id"]);
    ids.add(ready.id);
    const startMs = performance.now();
    rendezvous.signal(signal);
    assert.equal(await rendezvous.exited, 0);
    assert.ok(performance.now() - startMs < 2000);
  }
  assert.equal(ids.size, 1);
});

test("for a person, stdout has words and stderr is empty", async (t) => {
  const rendezvous = new Programs(t).start("rendezvous", ["rendezvous", "--listen", "127.0.0.1:0"]);
  await rendezvous.until(() => rendezvous.lines.find((line) => line.includes("TUNNEL_RENDEZVOUS=")));
  assert.equal(rendezvous.stderr, "");
  assert.equal(rendezvous.lines.join("").includes("\x1b"), false, "no colours where there is no terminal");
});
