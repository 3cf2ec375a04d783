// The built program as its users run it: a rendezvous, `expose` and `connect` as processes of their own on loopback.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { temporaryDirectory } from "../daemon/temporary-directory.ts";
import { ending, readAll, startService, type TestService } from "../io/memory-tunnel.ts";
import { type Environment, type Program, Programs } from "./program.ts";

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const loopback: Environment = { TUNNEL_TEST_LOOPBACK: "1" };

/** A port that nothing listens on at the moment. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function echoService(t: TestContext): Promise<TestService> {
  const service = await startService((socket) => socket.pipe(socket));
  t.after(() => service.close());
  return service;
}

class Deployment {
  readonly programs: Programs;
  place = "";
  rendezvous: Program | undefined;

  constructor(t: TestContext) {
    this.programs = new Programs(t);
  }

  /** Starts the rendezvous, at the same place where it was before. */
  async meet(state = "rendezvous"): Promise<Program> {
    const listen = this.place === "" ? "127.0.0.1:0" : this.place;
    this.rendezvous = this.programs.start(state, ["rendezvous", "--json", "--listen", listen]);
    this.place = String((await this.rendezvous.event("ready")).listen);
    return this.rendezvous;
  }

  expose(...args: string[]): Program {
    return this.programs.start("expose", ["expose", ...args, "--json", "--rendezvous", this.place], loopback);
  }

  connect(...args: string[]): Program {
    return this.programs.start("connect", ["connect", ...args, "--json", "--listen", "0"], loopback);
  }
}

/** A program that uses the local port of `connect`. */
async function dial(connecting: Program): Promise<Socket> {
  const local = String((await connecting.event("listening")).local);
  const [host, port] = local.split(":") as [string, string];
  const socket = connect({ host, port: Number(port), allowHalfOpen: true });
  await once(socket, "connect");
  return socket;
}

async function echoes(connecting: Program, bytes = 1000): Promise<void> {
  const sent = randomBytes(bytes);
  const socket = await dial(connecting);
  socket.end(sent);
  assert.equal(sha256(await readAll(socket)), sha256(sent));
}

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

test("a reader of stdout that leaves ends nothing", async (t) => {
  const deployment = new Deployment(t);
  const service = await echoService(t);
  await deployment.meet();
  const exposing = deployment.expose(String(service.port));
  const { ticket } = await exposing.event("ready");
  exposing.child.stdout?.destroy();
  for (let i = 0; i < 2; i++) {
    const connecting = deployment.connect(String(ticket));
    await echoes(connecting);
    connecting.signal("SIGTERM");
    await connecting.exited;
  }
  exposing.signal("SIGTERM");
  assert.equal(await exposing.exited, 0);
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

test("what a program wrote before there was a tunnel arrives when there is one", async (t) => {
  const deployment = new Deployment(t);
  const service = await echoService(t);
  await deployment.meet();
  const exposing = deployment.expose(String(service.port));
  const { ticket } = await exposing.event("ready");
  exposing.signal("SIGTERM");
  await exposing.exited;
  const connecting = deployment.connect(String(ticket));
  const socket = await dial(connecting);
  socket.end("early words");
  const told = await connecting.event("error", (event) => event.code === "peer-absent");
  assert.match(String(told.message), /waiting/);
  deployment.expose(String(service.port));
  assert.equal(String(await readAll(socket)), "early words");
});

test("a service that is not running is a reset for the client and one line for both sides, until it runs", async (t) => {
  const deployment = new Deployment(t);
  const port = await freePort();
  await deployment.meet();
  const exposing = deployment.expose(String(port));
  const connecting = deployment.connect(String((await exposing.event("ready")).ticket));
  for (let i = 0; i < 3; i++) assert.equal(await ending(await dial(connecting)), "ECONNRESET");
  await connecting.event("error", (event) => event.code === "stream-refused");
  assert.equal(connecting.events.filter((event) => event.code === "stream-refused").length, 1);
  await exposing.until(() => exposing.stderr.match(/is the service running/) ?? undefined);
  assert.equal(exposing.stderr.trim().split("\n").length, 1, exposing.stderr);
  const server = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(port, "127.0.0.1");
  await once(server, "listening");
  await echoes(connecting);
  server.close();
});

test("agents wait for a rendezvous that comes late, and say so once", async (t) => {
  const deployment = new Deployment(t);
  const service = await echoService(t);
  deployment.place = `127.0.0.1:${await freePort()}`;
  const exposing = deployment.expose(String(service.port));
  const told = await exposing.event("error", undefined, 20_000);
  assert.equal(told.code, "rendezvous-unreachable");
  assert.match(String(told.message), new RegExp(deployment.place));
  await deployment.meet();
  const connecting = deployment.connect(String((await exposing.event("ready", undefined, 20_000)).ticket));
  await echoes(connecting);
  assert.equal(exposing.events.filter((event) => event.event === "error").length, 1);
});

test("a rendezvous with another key than the pinned one is refused, with the way out", async (t) => {
  const deployment = new Deployment(t);
  const rendezvous = await deployment.meet();
  const first = deployment.expose("3000");
  await first.event("ready");
  first.signal("SIGTERM");
  await first.exited;
  rendezvous.signal("SIGTERM");
  await rendezvous.exited;
  await deployment.meet("another-rendezvous");
  const second = deployment.expose("3000");
  assert.equal(await second.exited, 1);
  const refusal = second.events.find((event) => event.code === "rendezvous-key-changed");
  assert.match(String(refusal?.message), /has changed.* rm /);
  assert.ok(!second.events.some((event) => event.event === "ready"));
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

test("more connections than there are descriptors are refused, said once, and taken again later, on either side", async (t) => {
  const deployment = new Deployment(t);
  const service = await echoService(t);
  await deployment.meet();
  const { programs, place } = deployment;
  const start = (state: string, descriptors: number, ...args: string[]): Program =>
    programs.start(state, [...args, "--json"], loopback, undefined, descriptors);
  for (const [exposeMax, connectMax] of [
    [1000, 80],
    [80, 1000],
  ] as const) {
    const exposing = start("expose", exposeMax, "expose", String(service.port), "--rendezvous", place);
    const ticket = String((await exposing.event("ready")).ticket);
    const connecting = start("connect", connectMax, "connect", ticket, "--listen", "0");
    await echoes(connecting);
    const sockets: Socket[] = [];
    for (let i = 0; i < 100; i++) {
      const socket = await dial(connecting);
      socket.on("error", () => {});
      sockets.push(socket);
    }
    const scarce = exposeMax < connectMax ? exposing : connecting;
    await scarce.until(() => scarce.stderr.match(/connection.* refused/) ?? undefined);
    for (const socket of sockets) socket.destroy();
    await sleep(300);
    await echoes(connecting);
    assert.equal(scarce.stderr.match(/refused/g)?.length, 1, scarce.stderr);
    connecting.signal("SIGTERM");
    exposing.signal("SIGTERM");
    await Promise.all([connecting.exited, exposing.exited]);
  }
});
