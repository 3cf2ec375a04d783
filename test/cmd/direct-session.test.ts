// `expose` and `connect` without any rendezvous, where an address is known.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { parseTicket } from "../../src/crypto/ticket.ts";
import { echoes, echoService, loopback } from "./deployment.ts";
import { Programs } from "./program.ts";

/** A UDP port that nothing uses at the moment. */
async function freeUdpPort(): Promise<number> {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  await once(socket, "close");
  return port;
}

test("with an address on one side, ticket and data need no rendezvous at all", async (t) => {
  const programs = new Programs(t);
  const service = await echoService(t);
  const address = `127.0.0.1:${await freeUdpPort()}`;
  const args = ["expose", String(service.port), "--json", "--address", address];
  const exposing = programs.start("expose", args, loopback);
  const ticket = String((await exposing.event("ready")).ticket);
  const parsed = parseTicket(ticket);
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.ticket.rendezvous, []);
  const connecting = programs.start("connect", ["connect", ticket, "--json", "--listen", "0"], loopback);
  await echoes(connecting, 1_000_000);
  const path = await connecting.event("path");
  assert.deepEqual([path.via, path.remote], ["direct", address]);
  assert.equal((await exposing.event("path")).via, "direct");

  // A second one cannot have the port.
  const second = programs.start("other", args, loopback);
  assert.equal(await second.exited, 1);
  assert.match(second.stderr, /UDP port \d+ is in use.*--udp-port/);
  assert.equal(second.stderr.trim().split("\n").length, 1);
});

test("connect takes an address from the command line beside a dead one of the ticket, by name, and its own port", async (t) => {
  const programs = new Programs(t);
  const service = await echoService(t);
  const [port, own, dead] = [await freeUdpPort(), await freeUdpPort(), await freeUdpPort()];
  const where = ["--address", `127.0.0.1:${dead}`, "--udp-port", String(port)];
  const args = ["expose", String(service.port), "--json", ...where];
  const exposing = programs.start("expose", args, loopback);
  const ticket = String((await exposing.event("ready")).ticket);
  const more = ["--address", `localhost:${port}`, "--udp-port", String(own), "--no-spray"];
  const connecting = programs.start("connect", ["connect", ticket, "--json", "--listen", "0", ...more], loopback);
  await echoes(connecting);
  assert.match(String((await exposing.event("path")).remote), new RegExp(`:${own}$`));
});

test("a name that is not known is told of once, and the process goes on", async (t) => {
  const programs = new Programs(t);
  const exposing = programs.start("expose", ["expose", "3000", "--json", "--address", "no-such-host.invalid:4800"]);
  const ticket = String((await exposing.event("ready")).ticket);
  const connecting = programs.start("connect", ["connect", ticket, "--json", "--listen", "0"]);
  const error = await connecting.event("error");
  assert.equal(error.code, "unknown-host");
  assert.match(String(error.message), /no-such-host\.invalid/);
  connecting.signal("SIGTERM");
  assert.equal(await connecting.exited, 0);
});
