// `tunnel demo`: the whole thing on one machine, with nothing but loopback. A rendezvous, `expose` and `connect` run as
// processes of their own, a small HTTP service is fetched through them, first while all goes over the relay, then over the direct path.

import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ChildCommand } from "./child-command.ts";
import type { CommandContext } from "./command.ts";
import { type Measurement, measure, startDemoService } from "./demo-service.ts";
import type { Output, OutputEvent } from "./output.ts";
import { shutdownSignal } from "./shutdown-signal.ts";
import { exitCode } from "./usage-error.ts";

/** How long the direct path is held back, so that the relay can be measured; its measurement takes some two seconds. */
const DIRECT_AFTER_MS = 4_000;
const STEP_TIMEOUT_MS = 15_000;
const END_TIMEOUT_MS = 3_000;

const FOR_REAL = `
For real, on three machines; in a checkout the program is "npx tunnel":

    tunnel rendezvous                                 on one that both others reach, with UDP port 4700 open
    tunnel expose 3000 --rendezvous <its address>     where the service is; prints a ticket
    tunnel connect <ticket>                           where it is wanted`;

type Ready = Extract<OutputEvent, { ticket: string }>;
type RendezvousReady = Extract<OutputEvent, { listen: string }>;
type Listening = Extract<OutputEvent, { event: "listening" }>;
type Path = Extract<OutputEvent, { event: "path" }>;

/** @returns when both paths were measured and everything is cleaned up. @throws OperatingError where one of them did not come. */
export async function runDemo({ output }: CommandContext): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "tunnel-demo-"));
  const children: ChildCommand[] = [];
  const service = await startDemoService();
  const cleanUp = async (): Promise<void> => {
    // One after the other and the last one first: nobody has to complain that another one left.
    for (const child of [...children].reverse()) await child.end(END_TIMEOUT_MS);
    service.closeAllConnections();
    service.close();
    rmSync(directory, { recursive: true, force: true });
  };
  void shutdownSignal()
    .then(cleanUp)
    .then(() => process.exit(exitCode.done));
  const start = (name: string, ...args: string[]): ChildCommand => {
    const child = new ChildCommand(args, {
      TUNNEL_STATE_DIR: join(directory, name),
      TUNNEL_RENDEZVOUS: undefined,
      TUNNEL_TICKET: undefined,
      TUNNEL_TEST_LOOPBACK: "1",
      TUNNEL_TEST_DIRECT_AFTER_MS: String(DIRECT_AFTER_MS),
    });
    children.push(child);
    return child;
  };
  try {
    await playDemo(start, (service.address() as AddressInfo).port, output);
  } finally {
    await cleanUp();
  }
}

async function playDemo(
  start: (name: string, ...args: string[]) => ChildCommand,
  servicePort: number,
  output: Output,
): Promise<void> {
  output.note("On this machine, over loopback:");
  const rendezvous = start("rendezvous", "rendezvous", "--listen", "127.0.0.1:0");
  const met = await rendezvous.waitFor(
    "the rendezvous",
    (e): e is RendezvousReady => e.event === "ready",
    STEP_TIMEOUT_MS,
  );
  output.note(`  rendezvous  ${met.listen}`);

  const expose = start("expose", "expose", String(servicePort), "--rendezvous", `${met.id}@${met.listen}`);
  const exposed = await expose.waitFor("the ticket", (e): e is Ready => e.event === "ready", STEP_TIMEOUT_MS);
  output.note(`  expose      ${exposed.target}, a small HTTP service`);

  const connect = start("connect", "connect", exposed.ticket, "--listen", "127.0.0.1:0");
  const listening = await connect.waitFor(
    "the local port",
    (e): e is Listening => e.event === "listening",
    STEP_TIMEOUT_MS,
  );
  output.note(`  connect     http://${listening.local} is that service now\n`);

  for (const via of ["relay", "direct"] as const) {
    const path = await connect.waitFor(
      via === "relay" ? "the relay" : "the direct path",
      (e): e is Path => e.event === "path" && e.via === via,
      STEP_TIMEOUT_MS,
    );
    const measured = await measure(`http://${listening.local}`);
    output.event(path, "");
    output.event({ event: "measured", via, ...measured }, describe(path, measured, output));
  }
  output.note(FOR_REAL);
}

function describe(path: Path, measured: Measurement, output: Output): string {
  const name = path.via === "relay" ? output.yellow("over the relay") : output.green("directly      ");
  return [
    `${name}  first byte after ${measured.firstByteMs.toFixed(1)} ms`,
    `round trip ${measured.roundTripMs.toFixed(2)} ms`,
    `${measured.megabitsPerSecond.toFixed(0)} Mbit/s`,
    `via ${path.remote}`,
  ].join("  ");
}
