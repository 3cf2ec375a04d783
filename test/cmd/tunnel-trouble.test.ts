// The built program where something is missing, late, wrong or used up.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ending, readAll } from "../io/memory-tunnel.ts";
import { Deployment, dial, echoes, echoService, freePort, loopback } from "./deployment.ts";
import type { JsonEvent, Program } from "./program.ts";

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
  // On a busy machine the reset may be there before the socket has told of its connection.
  const outcome = (): Promise<string> =>
    dial(connecting).then(ending, (error: NodeJS.ErrnoException) => String(error.code));
  for (let i = 0; i < 3; i++) assert.equal(await outcome(), "ECONNRESET");
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

test("scripts are told when a rendezvous was reached, was lost, and is there again", async (t) => {
  const deployment = new Deployment(t);
  const rendezvous = await deployment.meet();
  const exposing = deployment.expose("3000");
  const reached = await exposing.event("rendezvous", undefined, 20_000);
  assert.deepEqual([reached.address, reached.state], [deployment.place, "connected"]);
  // On a busy machine UDP may be late, and TCP is there before it.
  assert.match(String(reached.over), /^(udp|tcp)$/);
  assert.equal(exposing.events[0]?.event, "ready", "the ticket comes first");
  rendezvous.signal("SIGTERM");
  await rendezvous.exited;
  const lost = await exposing.event("error", (event) => event.code === "rendezvous-lost", 20_000);
  assert.equal(lost.address, deployment.place);
  await deployment.meet();
  const isAgain = ({ event, address }: JsonEvent): boolean => event === "rendezvous" && address === deployment.place;
  await exposing.until(() => {
    const after = exposing.events.findIndex(({ code }) => code === "rendezvous-lost") + 1;
    return exposing.events.slice(after).find(isAgain);
  }, 30_000);
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
