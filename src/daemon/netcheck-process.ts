// `tunnel netcheck`: looks at the network that this machine is in, tells what it means for tunnels, and ends.

import type { SocketAddress } from "../base/address.ts";
import { NAT_LIFETIME_IDLE_MS } from "../base/limits.ts";
import { RouteTable } from "../base/route.ts";
import type { DatagramSocket } from "../io/datagram-socket.ts";
import { Driver } from "../io/driver.ts";
import { interfaceList } from "../io/interface-addresses.ts";
import { monotonicNowMs } from "../io/monotonic-clock.ts";
import { outboundAddress } from "../io/outbound-address.ts";
import { systemRandom } from "../io/system-random.ts";
import { openUdpSocket } from "../io/udp-socket.ts";
import type { FamilyFindings } from "../traversal/family-check.ts";
import { NetworkCheck, type NetworkCheckEvent } from "../traversal/network-check.ts";
import { type CommandContext, endByBug } from "./command.ts";
import {
  familyFacts,
  type NetcheckFacts,
  type NetcheckReport,
  rendezvousFacts,
  stunServerFacts,
} from "./netcheck-report.ts";
import { askRouters } from "./netcheck-router.ts";
import {
  type NamedServer,
  parseStunOption,
  probeServer,
  type ResolvedServer,
  resolveServer,
} from "./netcheck-server.ts";
import { netcheckText } from "./netcheck-text.ts";
import { judgeNetwork } from "./netcheck-verdict.ts";
import { parseRendezvousOption } from "./rendezvous-option.ts";
import { RendezvousPins } from "./rendezvous-pins.ts";
import { stateDirectoryPath } from "./state-directory.ts";
import { readTestSettings } from "./test-setting.ts";
import { ToldFailure, UsageError } from "./usage-error.ts";

/** As the command line gives them. */
export interface NetcheckOptions {
  readonly rendezvous: readonly string[];
  readonly stun: readonly string[];
  readonly lifetime: boolean;
  readonly portMapping: boolean;
}

type Findings = ReadonlyMap<4 | 6, FamilyFindings>;

/** @throws UsageError, OperatingError; ToldFailure where tunnels do not work from here. */
export async function runNetcheck(options: NetcheckOptions, context: CommandContext): Promise<void> {
  const { env, output } = context;
  const rendezvous = parseRendezvousOption(options.rendezvous, env);
  const named: NamedServer[] = [
    ...rendezvous.map((address) => ({ kind: "rendezvous" as const, ...address })),
    ...parseStunOption(options.stun),
  ];
  if (named.length === 0) {
    throw new UsageError(
      "there is nobody to ask; name a rendezvous with --rendezvous host:port or in TUNNEL_RENDEZVOUS, or a STUN server with --stun host:port",
    );
  }
  const idlesMs = options.lifetime ? (readTestSettings(env).lifetimeIdlesMs ?? NAT_LIFETIME_IDLE_MS) : [];
  output.note(`Looking at the network; this takes ${options.lifetime ? "up to five minutes" : "some seconds"} …\n`);
  const facts = await gather(named, idlesMs, options.portMapping, context);
  const report: NetcheckReport = { event: "netcheck", ...judgeNetwork(facts), ...facts };
  output.event(report, netcheckText(report, output).join("\n"));
  if (!report.ok) throw new ToldFailure();
}

async function gather(
  named: readonly NamedServer[],
  idlesMs: readonly number[],
  portMapping: boolean,
  context: CommandContext,
): Promise<NetcheckFacts> {
  const sockets = await openSockets(3 + idlesMs.length, context);
  const { families } = sockets[0];
  const pins = new RendezvousPins(stateDirectoryPath(context.env));
  const servers = await Promise.all(named.map((server) => resolveServer(server, families)));
  const [findings, probes, routers, ipv4, ipv6] = await Promise.all([
    measure(sockets, servers, idlesMs, context),
    Promise.all(servers.map((server) => probeServer(server, pins, context))),
    portMapping ? askRouters(families, context) : [],
    outboundAddress(4),
    outboundAddress(6),
  ]);
  const found = [...findings.values()];
  const withProbe = servers.map((server, i) => ({ server, probe: probes[i] as (typeof probes)[number] }));
  return {
    interfaces: interfaceList(),
    ipv4: familyFacts(ipv4, findings.get(4)),
    ipv6: familyFacts(ipv6, findings.get(6)),
    rendezvous: withProbe
      .filter(({ server }) => server.kind === "rendezvous")
      .map(({ server, probe }) => rendezvousFacts(server, probe, found)),
    stun: withProbe
      .filter(({ server }) => server.kind === "stun")
      .map(({ server, probe }) => stunServerFacts(server, probe, found)),
    routers,
  };
}

type Sockets = readonly [DatagramSocket, DatagramSocket, DatagramSocket, ...DatagramSocket[]];

async function openSockets(count: number, { log }: CommandContext): Promise<Sockets> {
  const sockets = await Promise.all(Array.from({ length: count }, () => openUdpSocket({ log })));
  return sockets as unknown as Sockets;
}

/** Runs the check of both families to its end. */
function measure(
  sockets: Sockets,
  servers: readonly ResolvedServer[],
  idlesMs: readonly number[],
  { output }: CommandContext,
): Promise<Findings> {
  const [socket, filtering, hairpin] = sockets;
  const addresses: SocketAddress[] = servers.flatMap((server) => [...server.addresses]);
  const sleepers = idlesMs.map((idleMs, i) => ({ carrier: 3 + i, idleMs }));
  const check = new NetworkCheck({
    routes: new RouteTable(),
    random: systemRandom,
    servers: addresses,
    localHosts: interfaceList().flatMap((item) => item.addresses),
    socket: { carrier: 0, port: socket.localPort },
    filteringSocket: { carrier: 1, port: filtering.localPort },
    hairpinSocket: { carrier: 2, port: hairpin.localPort },
    probesMtu: socket.neverFragments,
    ...(sleepers.length === 0 ? {} : { lifetime: { asker: 2, sleepers } }),
  });
  const findings = new Map<4 | 6, FamilyFindings>();
  return new Promise((resolve) => {
    const finish = (): void => {
      if (findings.size < check.families.length) return;
      driver.stop();
      for (const each of sockets) each.close();
      resolve(findings);
    };
    const driver = new Driver<NetworkCheckEvent>({
      machine: check,
      socket,
      onEvent(_nowMs, { family, findings: found }) {
        findings.set(family, found);
        finish();
      },
      onFault: (error) => endByBug(error, output.json),
    });
    driver.start();
    for (const [carrier, further] of sockets.entries()) if (carrier > 0) driver.addSocket(carrier, further);
    check.start(monotonicNowMs());
    driver.wake();
    finish();
  });
}
