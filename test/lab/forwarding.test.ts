// TCP through the tunnel behaves as TCP: many connections at once, half-close, refusal.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Content } from "./content.ts";
import { Download } from "./download.ts";
import { labTest } from "./lab-tunnel.ts";

const homeRouters = { A: "port-restricted", B: "port-restricted" } as const;
const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

labTest("200 connections at once carry 20 MB in all, each its own", homeRouters, async (tunnel) => {
  const { lab, clientHost } = tunnel;
  await tunnel.startRendezvous();
  await tunnel.serveFiles(3000);
  const { ticket } = await tunnel.expose(3000);
  const { local } = await tunnel.connect(ticket, 3000);
  const client = lab.spawn(clientHost, [process.execPath, script("./many-downloads.js"), local, "200", "100000"]);
  const done = await client.waitForJson("done", 60_000);
  assert.deepEqual(done.fields.counts, { whole: 200 });
});

labTest(
  "a client that has said everything and closes its half still gets the whole answer",
  homeRouters,
  async (tunnel) => {
    const { lab, clientHost, serviceHost } = tunnel;
    const answerBytes = 5_000_000;
    await tunnel.startRendezvous();
    const server = lab.spawn(serviceHost, [
      process.execPath,
      script("./answer-at-end.js"),
      "3000",
      String(answerBytes),
    ]);
    await server.waitForJson("ready", 10_000);
    const { ticket } = await tunnel.expose(3000);
    await tunnel.connect(ticket, 3000);

    const question = new Content("question").next(3_000_000);
    const files = ["question", "answer"].map((name) => join(lab.scratch, name)) as [string, string];
    writeFileSync(files[0], question);
    const ask = `nc -n -N 127.0.0.1 3000 < ${files[0]} > ${files[1]}`;
    assert.equal((await lab.exec(clientHost, ["timeout", "60", "sh", "-c", ask])).code, 0);
    const hash = `${createHash("sha256").update(question).digest("hex")}\n`;
    const expected = Buffer.concat([Buffer.from(hash), new Content("answer").next(answerBytes)]);
    assert.equal(Buffer.compare(readFileSync(files[1]), expected), 0);
  },
);

labTest(
  "a target that refuses is a reset at the client, and one that comes later is served",
  homeRouters,
  async (tunnel) => {
    const { lab, clientHost } = tunnel;
    await tunnel.startRendezvous();
    const { ticket, process } = await tunnel.expose(3000);
    const connected = await tunnel.connect(ticket, 3000);
    const order = { local: connected.local, lengthBytes: 1_000_000, limitSeconds: 10 };

    const refused = await Download.start(lab, clientHost, order).ended;
    // 56 is curl's "failure in receiving network data"; an orderly end without an answer would be 52.
    assert.equal(refused.code, 56, refused.stderr);
    assert.match(refused.stderr, /reset by peer/);

    await tunnel.serveFiles(3000);
    await Download.start(lab, clientHost, order).assertWhole();
    assert.ok(process.isRunning && connected.process.isRunning);
  },
);
