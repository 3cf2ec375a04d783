// `tunnel rendezvous`: the public machine that introduces agents and relays for them, until the process is told to end.

import { formatSocketAddress } from "../base/address.ts";
import { SHUTDOWN_LINGER_MS } from "../base/limits.ts";
import { randomBytes } from "../base/random.ts";
import { bestPacketCipher } from "../crypto/packet-cipher.ts";
import { formatPeerId } from "../crypto/peer-id.ts";
import { Driver } from "../io/driver.ts";
import { formatHostPort } from "../io/forward-target.ts";
import { monotonicNowMs } from "../io/monotonic-clock.ts";
import { systemRandom } from "../io/system-random.ts";
import { RendezvousServer } from "../rendezvous/rendezvous-server.ts";
import { parseAlternateOption } from "./alternate-option.ts";
import { type CommandContext, endByBug } from "./command.ts";
import { loadIdentity } from "./identity-file.ts";
import { parseListenOption } from "./listen-option.ts";
import { openRendezvousSockets } from "./rendezvous-sockets.ts";
import { shutdownSignal } from "./shutdown-signal.ts";
import { stateDirectoryPath } from "./state-directory.ts";

/** As the command line gives them. */
export interface RendezvousOptions {
  readonly listen: string;
  readonly alternate: readonly string[];
}

/** @returns when the process was asked to end. @throws UsageError, OperatingError */
export async function runRendezvous(options: RendezvousOptions, context: CommandContext): Promise<void> {
  const places = parseAlternateOption(parseListenOption(options.listen, "0.0.0.0"), options.alternate);
  const identity = loadIdentity(stateDirectoryPath(context.env), "rendezvous");
  const { log, output } = context;
  const { sockets, stunSockets, close } = await openRendezvousSockets(places, log);
  const [socket, ...alternates] = sockets;
  const server = new RendezvousServer({
    identity,
    instance: randomBytes(systemRandom, 8),
    random: systemRandom,
    cipher: bestPacketCipher(),
    log,
    stunSockets,
  });
  const driver = new Driver({
    machine: server,
    socket,
    onEvent(_nowMs, event) {
      if (event.type === "carrier-unwanted") return;
      const agent = formatPeerId(event.identity);
      if (event.type === "agent-connected") {
        log.info("an agent connected", { agent, address: formatSocketAddress(event.address) });
      } else {
        log.info("an agent is gone", { agent, reason: event.reason });
      }
    },
    onFault: (error) => endByBug(error, output.json),
  });

  const signal = shutdownSignal();
  driver.start();
  for (const [index, alternate] of alternates.entries()) driver.addSocket(index + 1, alternate);
  const id = formatPeerId(identity.publicKey);
  const listen = formatHostPort(socket.localHost, socket.localPort);
  output.event({ event: "ready", listen, id }, describeReady(listen, id, context));
  log.info("shutting down", { signal: await signal });
  server.shutdown(monotonicNowMs());
  driver.flush();
  await new Promise((resolve) => setTimeout(resolve, SHUTDOWN_LINGER_MS));
  driver.stop();
  close();
}

function describeReady(listen: string, id: string, { output }: CommandContext): string {
  const port = listen.slice(listen.lastIndexOf(":") + 1);
  return [
    `The rendezvous listens on ${output.bold(listen)} (UDP). Agents use it with:`,
    "",
    `    TUNNEL_RENDEZVOUS=${id}@<this machine's public address>:${port}`,
    "",
    "Ctrl-C ends it.",
  ].join("\n");
}
