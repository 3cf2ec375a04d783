// The tunnel under a real program: rendezvous, `expose` and `connect` as processes of their own on loopback. A program that
// connects at once starts on the relay and is moved to the direct path while it runs.

import type { TestContext } from "node:test";
import { Deployment } from "../cmd/deployment.ts";

/** A busy machine may take this long to start a few programs. */
const START_LIMIT_MS = 30_000;
const any = (): boolean => true;

/** @returns the local port behind which a client finds what listens on `port`. */
export async function tunnelTo(t: TestContext, port: number): Promise<number> {
  const deployment = new Deployment(t);
  await deployment.meet();
  const exposing = deployment.expose(`127.0.0.1:${port}`);
  const { ticket } = await exposing.event("ready", any, START_LIMIT_MS);
  const connecting = deployment.connect(String(ticket));
  const { local } = await connecting.event("listening", any, START_LIMIT_MS);
  return Number(String(local).split(":").at(-1));
}
