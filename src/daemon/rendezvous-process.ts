// `tunnel rendezvous`: the public machine that introduces agents and relays for them, until the process is told to end.

import { formatSocketAddress } from "../base/address.ts";
import { SHUTDOWN_LINGER_MS, WEBSOCKET_PORT_DEFAULT } from "../base/limits.ts";
import { randomBytes } from "../base/random.ts";
import { MAIN_CARRIER } from "../base/route.ts";
import { bestPacketCipher } from "../crypto/packet-cipher.ts";
import { formatPeerId } from "../crypto/peer-id.ts";
import { letBackgroundYield } from "../io/background-threads.ts";
import { Driver } from "../io/driver.ts";
import { formatHostPort } from "../io/forward-target.ts";
import { monotonicNowMs } from "../io/monotonic-clock.ts";
import { systemRandom } from "../io/system-random.ts";
import { letYoungGenerationGrow } from "../io/young-generation.ts";
import { RendezvousServer, type RendezvousServerEvent } from "../rendezvous/rendezvous-server.ts";
import { parseAlternateOption } from "./alternate-option.ts";
import { type CommandContext, endByBug } from "./command.ts";
import { tuneEngine } from "./engine-tuning.ts";
import { loadIdentity } from "./identity-file.ts";
import { parseListenOption } from "./listen-option.ts";
import { openRendezvousSockets } from "./rendezvous-sockets.ts";
import { RendezvousStreams } from "./rendezvous-streams.ts";
import { shutdownSignal } from "./shutdown-signal.ts";
import { stateDirectoryPath } from "./state-directory.ts";
import { certificateFiles } from "./tls-certificate.ts";
import { UsageError } from "./usage-error.ts";

/** As the command line gives them. */
export interface RendezvousOptions {
  readonly listen: string;
  readonly alternate: readonly string[];
  readonly websocket?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
}

/** @returns when the process was asked to end. @throws UsageError, OperatingError */
export async function runRendezvous(options: RendezvousOptions, context: CommandContext): Promise<void> {
  const main = parseListenOption(options.listen, "0.0.0.0");
  const places = parseAlternateOption(main, options.alternate);
  const websocket = options.websocket === undefined ? undefined : parseListenOption(options.websocket, main.host);
  const certificate = certificateFiles(options.tlsCert, options.tlsKey);
  if (certificate !== undefined && websocket === undefined) {
    throw new UsageError("a certificate is for WebSockets; say where to take them with --websocket [host:]port");
  }
  const identity = loadIdentity(stateDirectoryPath(context.env), "rendezvous");
  const { log, output } = context;
  const { sockets, stunSockets, stunListener, close } = await openRendezvousSockets(places, log);
  const [socket, ...alternates] = sockets;
  const server = new RendezvousServer({
    identity,
    instance: randomBytes(systemRandom, 8),
    random: systemRandom,
    cipher: bestPacketCipher(),
    log,
    stunSockets,
  });
  const driver = new Driver<RendezvousServerEvent>({
    machine: server,
    socket,
    onEvent(_nowMs, event) {
      if (event.type === "carrier-unwanted") {
        driver.closeSocket(event.carrier);
        return;
      }
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
  letYoungGenerationGrow();
  tuneEngine();
  letBackgroundYield();
  driver.start();
  for (const [index, alternate] of alternates.entries()) driver.addSocket(index + 1, alternate);
  const streams = new RendezvousStreams({ server, driver, log });
  await streams.listenForTcp(socket, MAIN_CARRIER, stunListener);
  const websocketPort = websocket && (await streams.listenForWebsockets(websocket, certificate));
  const id = formatPeerId(identity.publicKey);
  const listen = formatHostPort(socket.localHost, socket.localPort);
  output.event(
    { event: "ready", listen, id, ...(websocketPort === undefined ? {} : { websocketPort }) },
    describeReady(listen, id, websocketPort, context),
  );
  log.info("shutting down", { signal: await signal });
  server.shutdown(monotonicNowMs());
  driver.flush();
  await new Promise((resolve) => setTimeout(resolve, SHUTDOWN_LINGER_MS));
  driver.stop();
  streams.close();
  close();
}

function describeReady(
  listen: string,
  id: string,
  websocketPort: number | undefined,
  { output }: CommandContext,
): string {
  const port = listen.slice(listen.lastIndexOf(":") + 1);
  const hasOtherPort = websocketPort !== undefined && websocketPort !== WEBSOCKET_PORT_DEFAULT;
  const ports = hasOtherPort ? `${port}/${websocketPort}` : port;
  const byWebsocket = websocketPort === undefined ? "" : `, WebSockets on port ${websocketPort}`;
  return [
    `The rendezvous listens on ${output.bold(listen)} (UDP and TCP)${byWebsocket}. Agents use it with:`,
    "",
    `    TUNNEL_RENDEZVOUS=${id}@<this machine's public address>:${ports}`,
    "",
    "Ctrl-C ends it.",
  ].join("\n");
}
