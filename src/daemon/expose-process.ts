// `tunnel expose`: makes one local service reachable for whoever holds its ticket, until the process is told to end.

import { LAN_PORT, NAME_BYTES_MAX } from "../base/limits.ts";
import { parsePeerId } from "../crypto/peer-id.ts";
import { formatHostAndPort, formatRendezvousAddress } from "../crypto/rendezvous-address.ts";
import { formatTicket } from "../crypto/ticket.ts";
import { type ForwardTarget, formatForwardTarget, parseForwardTarget } from "../io/forward-target.ts";
import { LanListener } from "../io/lan-listener.ts";
import { monotonicNowMs } from "../io/monotonic-clock.ts";
import { AgentProcess } from "./agent-process.ts";
import { replaceFile } from "./atomic-file.ts";
import type { CommandContext } from "./command.ts";
import { parseCongestionOption } from "./congestion-option.ts";
import { type DirectOptions, type DirectWays, localUdpPort, parseDirectOptions } from "./direct-option.ts";
import { missingRendezvous, parseRendezvousOption } from "./rendezvous-option.ts";
import { parseResumeOption } from "./resume-option.ts";
import { loadServiceSecret, renewServiceSecret } from "./service-secret.ts";
import { fileErrorReason, makeStateDirectory, stateDirectoryPath } from "./state-directory.ts";
import { OperatingError, systemCode, UsageError } from "./usage-error.ts";

/** As the command line gives them. */
export interface ExposeOptions extends DirectOptions {
  readonly target: string;
  readonly name?: string | undefined;
  readonly allow: readonly string[];
  readonly public: boolean;
  readonly rendezvous: readonly string[];
  readonly newTicket: boolean;
  readonly congestion?: string | undefined;
  readonly resumeTimeout?: string | undefined;
  readonly ticketFile?: string | undefined;
}

/** @returns when the process was asked to end. @throws UsageError, OperatingError */
export async function runExpose(options: ExposeOptions, context: CommandContext): Promise<void> {
  const target = parseTarget(options.target);
  const name = parseName(options.name, target);
  const allow = options.allow.map(parseAllowed);
  const rendezvous = parseRendezvousOption(options.rendezvous, context.env);
  const direct = parseDirectOptions(options);
  const congestion = parseCongestionOption(options.congestion);
  const resumeTimeoutMs = parseResumeOption(options.resumeTimeout);
  const udpPort = localUdpPort(direct);
  if (rendezvous.length === 0 && direct.addresses.length === 0 && !direct.lan) throw missingRendezvous();

  const { output } = context;
  const stateDirectory = stateDirectoryPath(context.env);
  makeStateDirectory(stateDirectory);
  // A name stands for the service wherever it is; without one the target itself is the service.
  const service = options.name === undefined ? `target ${formatForwardTarget(target)}` : `name ${name}`;
  const secret = (options.newTicket ? renewServiceSecret : loadServiceSecret)(stateDirectory, service);

  let saidReady = false;
  let lan: LanListener | undefined;
  const process = await AgentProcess.open({
    context,
    rendezvous,
    udpPort,
    spray: direct.spray,
    congestion,
    resumeTimeoutMs,
    portMapping: direct.portMapping,
    addresses: direct.addresses,
    onNetworkChange: () => lan?.refresh(),
    onShutdown: () => lan?.close(),
    onEvent(_nowMs, event) {
      if (event.type === "stream") process.forwarder.accept(event.stream, target);
    },
    onReady() {
      if (saidReady) return;
      saidReady = true;
      const ticket = formatTicket({
        peer: process.identity.publicKey,
        secret,
        rendezvous: process.rendezvous,
        addresses: direct.addresses,
        service: name,
      });
      if (options.ticketFile !== undefined) writeTicket(options.ticketFile, ticket);
      output.event(
        { event: "ready", peerId: process.peerId, ticket, target: formatForwardTarget(target) },
        describeReady(options, direct, target, name, ticket, process, context),
      );
    },
  });
  if (direct.lan) lan = await listenToLan(process, context);
  process.agent.expose(monotonicNowMs(), { name, secret, allow, public: options.public });
  await process.run();
}

/** @throws OperatingError */
async function listenToLan(process: AgentProcess, { log }: CommandContext): Promise<LanListener> {
  try {
    return await LanListener.open({
      log,
      families: process.families,
      onAsked: (from, bytes) => process.receive(from, bytes),
    });
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    throw new OperatingError(
      "lan-port",
      `cannot listen for peers on this network: UDP port ${LAN_PORT} cannot be had (${systemCode(error)}). End the program that holds it, or leave --lan out.`,
    );
  }
}

function parseTarget(text: string): ForwardTarget {
  const target = parseForwardTarget(text);
  if ("problem" in target) throw new UsageError(target.problem);
  return target;
}

/** The name travels in the ticket, and tells the other side which port to offer when it is one. */
function parseName(given: string | undefined, target: ForwardTarget): string {
  if (given === undefined) return target.kind === "tcp" ? String(target.port) : "";
  if (given.trim() === "" || Buffer.byteLength(given) > NAME_BYTES_MAX || /\p{Cc}/u.test(given)) {
    throw new UsageError(`--name has to be a word of at most ${NAME_BYTES_MAX} bytes, without control characters`);
  }
  return given;
}

function parseAllowed(text: string): Uint8Array {
  const publicKey = parsePeerId(text);
  if (publicKey === undefined) {
    throw new UsageError(
      `--allow ${text} is no peer id; expected the 52 characters that "tunnel id" prints over there`,
    );
  }
  return publicKey;
}

/** @throws OperatingError */
function writeTicket(path: string, ticket: string): void {
  try {
    replaceFile(path, `${ticket}\n`);
  } catch (error) {
    throw new OperatingError(
      "ticket-file",
      `cannot write the ticket to ${path}: ${fileErrorReason(error)}. Name a file in a directory that this user may write to.`,
    );
  }
}

function describeReady(
  options: ExposeOptions,
  direct: DirectWays,
  target: ForwardTarget,
  name: string,
  ticket: string,
  process: AgentProcess,
  { output }: CommandContext,
): string {
  const lan = direct.lan && process.rendezvous.length === 0 ? " --lan" : "";
  const lines = [
    `Exposing ${output.bold(formatForwardTarget(target))}. To reach it from another machine:`,
    "",
    options.ticketFile === undefined
      ? `    tunnel connect${lan} ${ticket}`
      : `    tunnel connect${lan} --ticket-file <a copy of ${options.ticketFile}>`,
    "",
    "Whoever has this ticket can use the service. Ctrl-C ends it.",
  ];
  const here = process.rendezvous.find(({ host }) => /^(localhost|127\..*|::1)$/.test(host));
  if (here !== undefined) lines.push(`Its rendezvous is at ${here.host}, so it works on this machine only.`);
  if (options.public || options.allow.length > 0) {
    const meet = process.rendezvous.map((address) => ` --rendezvous ${formatRendezvousAddress(address)}`).join("");
    const where = direct.addresses.map((address) => ` --address ${formatHostAndPort(address)}`).join("");
    const service = name === "" ? "" : ` --service ${JSON.stringify(name)}`;
    const who = options.public
      ? output.bold("PUBLIC: everybody who knows this machine's id can use it without a ticket:")
      : "The peers that are allowed need no ticket:";
    lines.push("", who, `    tunnel connect${lan} ${process.peerId}${service}${where}${meet}`);
  }
  return lines.join("\n");
}
