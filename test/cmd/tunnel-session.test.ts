// The built program as its users run it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../daemon/temporary-directory.ts";
import { ending, readAll, startService, type TestService } from "../io/memory-tunnel.ts";
import { Deployment, dial, echoes, echoService, freePort, loopback } from "./deployment.ts";
import type { Program } from "./program.ts";

test("a service is reached through the tunnel, and the events are those that scripts rely on", async (t) => {
  const deployment = new Deployment(t);
  const service = await echoService(t);
  await deployment.meet();
  const exposing = deployment.expose(String(service.port));
  const ready = await exposing.event("ready");
  assert.deepEqual(Object.keys(ready), ["event", "peerId", "ticket", "target"]);
  assert.equal(ready.target, `127.0.0.1:${service.port}`);
  const connecting = deployment.connect(String(ready.ticket));
  const listening = await connecting.event("listening");
  assert.deepEqual(Object.keys(listening), ["event", "service", "local", "peerId"]);
  assert.deepEqual([listening.service, listening.peerId], [String(service.port), ready.peerId]);
  await echoes(connecting, 3_000_000);
  for (const side of [exposing, connecting]) {
    const path = await side.event("path", (event) => event.via === "direct");
    assert.deepEqual(Object.keys(path), ["event", "peerId", "via", "remote", "rttMs"]);
    assert.match(String(path.remote), /^(127\.|\[::1\]|\d|\[)/);
    assert.equal(typeof path.rttMs, "number");
  }
  assert.equal(exposing.stderr + connecting.stderr, "");
});

test("both sides end with 0 within two seconds of SIGTERM, whoever goes first, with a transfer under way", async (t) => {
  const deployment = new Deployment(t);
  const service = await startService((socket) => {
    const block = Buffer.alloc(64 * 1024);
    const more = (): void => {
      while (socket.write(block)) {}
    };
    socket.on("drain", more);
    more();
  });
  t.after(() => service.close());
  const rendezvous = await deployment.meet();
  const exposing = deployment.expose(String(service.port));
  const connecting = deployment.connect(String((await exposing.event("ready")).ticket));
  const socket = await dial(connecting);
  await once(socket, "data");
  // The rendezvous is killed without a word: the others must not wait for it.
  rendezvous.signal("SIGKILL");
  const cut = ending(socket);
  for (const side of [exposing, connecting]) {
    const startMs = performance.now();
    side.signal("SIGTERM");
    assert.equal(await side.exited, 0);
    assert.ok(performance.now() - startMs < 2000);
  }
  assert.equal(await cut, "ECONNRESET", "what was cut off does not look complete");
});

test("expose prints the same ticket after a restart, and another one when asked to", async (t) => {
  const deployment = new Deployment(t);
  await deployment.meet();
  const tickets: unknown[] = [];
  for (const more of [[], [], ["--new-ticket"], []]) {
    const exposing = deployment.expose("3000", ...more);
    tickets.push((await exposing.event("ready")).ticket);
    exposing.signal("SIGTERM");
    await exposing.exited;
  }
  assert.equal(tickets[0], tickets[1]);
  assert.notEqual(tickets[1], tickets[2]);
  assert.equal(tickets[2], tickets[3]);
});

test("with --ticket-file the ticket is in a private file that connect takes, and nowhere else", async (t) => {
  const deployment = new Deployment(t);
  const service = await echoService(t);
  await deployment.meet();
  const file = join(temporaryDirectory(t), "ticket");
  const args = ["expose", String(service.port), "--rendezvous", deployment.place, "--ticket-file", file];
  const exposing = deployment.programs.start("expose", args, loopback);
  await exposing.until(() => exposing.lines.find((line) => line.includes(file)));
  assert.equal(statSync(file).mode & 0o777, 0o600);
  await echoes(deployment.connect("--ticket-file", file));
  assert.equal((exposing.lines.join("") + exposing.stderr).includes(readFileSync(file, "utf8").trim()), false);
  const nowhere = ["expose", "1", "--rendezvous", deployment.place, "--ticket-file", "/nonexistent/ticket"];
  const failed = await deployment.programs.run(nowhere, loopback);
  assert.match(failed.stderr, /cannot write the ticket to \/nonexistent\/ticket/);
  assert.equal(failed.code, 1);
});

test("two processes expose two services under one identity, and each ticket reaches its own", async (t) => {
  const deployment = new Deployment(t);
  await deployment.meet();
  const greeter = async (word: string): Promise<TestService> => {
    const service = await startService((socket) => socket.end(word));
    t.after(() => service.close());
    return service;
  };
  for (const word of ["one", "two"]) {
    const exposing = deployment.expose(String((await greeter(word)).port));
    const connecting = deployment.connect(String((await exposing.event("ready")).ticket));
    assert.equal(String(await readAll(await dial(connecting))), word);
  }
});

test("a peer that is allowed needs no ticket; a stranger gets no answer", async (t) => {
  const deployment = new Deployment(t);
  const service = await echoService(t);
  await deployment.meet();
  const { lines } = await deployment.programs.run(["id"], {
    TUNNEL_STATE_DIR: deployment.programs.stateDirectory("connect"),
  });
  const exposing = deployment.expose(String(service.port), "--name", "web", "--allow", String(lines[0]));
  const { peerId } = await exposing.event("ready");
  const goal = [String(peerId), "--service", "web", "--rendezvous", deployment.place];
  await echoes(deployment.connect(...goal));
  const stranger = deployment.programs.start("stranger", ["connect", ...goal, "--json", "--listen", "0"], loopback);
  const told = await stranger.event("error", (event) => event.code === "no-answer", 20_000);
  assert.match(String(told.message), /ticket|list/);
});

test("--public needs neither", async (t) => {
  const deployment = new Deployment(t);
  const service = await echoService(t);
  await deployment.meet();
  const exposing = deployment.expose(String(service.port), "--public");
  const { peerId } = await exposing.event("ready");
  await echoes(deployment.connect(String(peerId), "--rendezvous", deployment.place));
});

test("connect takes the service's own port where it is free, and another one, saying so, where it is not", async (t) => {
  const deployment = new Deployment(t);
  await deployment.meet();
  const port = await freePort();
  const exposing = deployment.expose(String(port));
  const { ticket } = await exposing.event("ready");
  const connectPlainly = (): Program => deployment.programs.start("connect", ["connect", "-"], loopback, `${ticket}\n`);
  const first = connectPlainly();
  await first.until(() => first.lines.find((line) => line.includes(`127.0.0.1:${port}`)));
  const second = connectPlainly();
  await second.until(() => second.lines.find((line) => /Listening on 127\.0\.0\.1:\d+/.test(line)));
  assert.match(second.lines.join("\n"), new RegExp(`Port ${port} is in use`));
});
