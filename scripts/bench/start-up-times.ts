// How long programs take to start: the command line alone, beside a Node that does nothing, and `expose` until its
// rendezvous has taken it. Without NODE_EXTRA_CA_CERTS, for which Node reads certificates before it does anything else: with the file of
// a whole system that takes as long again as the rest of its own start.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { SERVICE_PORT } from "./contender.ts";
import type { Results } from "./results.ts";
import type { TunnelContender } from "./tunnel-contender.ts";

const program = fileURLToPath(new URL("../../cmd/tunnel.js", import.meta.url));

const ENVIRONMENT = { NODE_EXTRA_CA_CERTS: "" };

function endMs(args: readonly string[]): number {
  const startMs = performance.now();
  const result = spawnSync(process.execPath, args, { stdio: "ignore", env: { ...process.env, ...ENVIRONMENT } });
  if (result.status !== 0) throw new Error(`node ${args.join(" ")} failed`);
  return performance.now() - startMs;
}

export async function measureStartUp({ tunnel, name }: TunnelContender, times: number, results: Results) {
  for (let round = 0; round < times; round++) {
    results.add("node", "version", round, endMs(["-e", "0"]));
    results.add(name, "version", round, endMs([program, "--version"]));
    const startMs = performance.now();
    // Under an identity of its own, so that the one under load keeps its place.
    const { process } = await tunnel.expose(SERVICE_PORT, { identity: `start-up-${round}`, env: ENVIRONMENT });
    const readyMs = (process.events.find(({ event }) => event === "ready")?.atMs ?? Number.NaN) - startMs;
    results.add(name, "expose", round, readyMs);
    await process.stop();
  }
}
