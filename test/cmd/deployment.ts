// A rendezvous, `expose` and `connect` as processes of their own on loopback, as the tests of the program need them.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { readAll, startService, type TestService } from "../io/memory-tunnel.ts";
import { type Environment, type Program, Programs } from "./program.ts";

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
export const loopback: Environment = { TUNNEL_TEST_LOOPBACK: "1" };

/** A port that nothing listens on at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

export async function echoService(t: TestContext): Promise<TestService> {
  const service = await startService((socket) => socket.pipe(socket));
  t.after(() => service.close());
  return service;
}

export class Deployment {
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
export async function dial(connecting: Program): Promise<Socket> {
  const local = String((await connecting.event("listening")).local);
  const [host, port] = local.split(":") as [string, string];
  const socket = connect({ host, port: Number(port), allowHalfOpen: true });
  await once(socket, "connect");
  return socket;
}

export async function echoes(connecting: Program, bytes = 1000): Promise<void> {
  const sent = randomBytes(bytes);
  const socket = await dial(connecting);
  socket.end(sent);
  assert.equal(sha256(await readAll(socket)), sha256(sent));
}
