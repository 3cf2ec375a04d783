// What the agent asks STUN servers, which are its rendezvous: where its sockets are seen, and how the NAT before them behaves. The NAT is
// measured when the rendezvous has taken us, and again whenever the network has changed: some twenty small packets each time.

import { formatSocketAddress, type SocketAddress } from "../base/address.ts";
import {
  MAPPED_ADDRESS_QUERIES_MAX,
  MAPPED_ADDRESS_RETRY_MS,
  MAPPED_ADDRESS_TRIES,
  NAT_MEASURE_DELAY_MS,
  NAT_MEASURE_PEER_DELAY_MS,
  NAT_MEASURE_PUT_OFF_MS,
  NAT_NETWORK_CHANGE_DELAY_MS,
  NAT_SOCKETS_OPEN_MS,
} from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { type Carrier, MAIN_CARRIER, type RouteTable } from "../base/route.ts";
import type { Transmit } from "../base/transmit.ts";
import { NatDiscovery } from "../traversal/nat-discovery.ts";
import { type NatReport, natBehaviourOf } from "../traversal/nat-report.ts";
import { type StunTransaction, StunTransactions } from "../traversal/stun-transactions.ts";
import type { NatBehaviour } from "../wire/candidate.ts";
import { type OwnNetwork, UNKNOWN_NAT } from "./own-network.ts";
import type { OwnSockets } from "./own-sockets.ts";

export interface OwnStunConfig {
  readonly routes: RouteTable;
  readonly random: Random;
  readonly log: Log;
  readonly network: OwnNetwork;
  readonly sockets: OwnSockets;
  /** Addresses of our rendezvous, the one in use first. */
  servers(): readonly SocketAddress[];
  onMeasured(nowMs: number, nat: NatBehaviour): void;
}

/** Where the socket of a carrier is seen. */
export interface MappedAddress {
  readonly carrier: Carrier;
  readonly address: SocketAddress;
}

const NEVER = Number.POSITIVE_INFINITY;

export class OwnStun {
  private readonly config: OwnStunConfig;
  /** Questions for mapped addresses, without those of the discovery. */
  private readonly transactions: StunTransactions;
  private queries: readonly StunTransaction[] = [];
  private discovery: NatDiscovery | undefined;
  /**
   * The tests have a socket each, from which nothing was ever sent to anybody and of which no peer knows: a bad router lets one early probe
   * of a peer change what it maps the main socket to, for everybody who is new, and looks like a hard NAT from there.
   */
  private ownSockets: Carrier[] = [];
  private startAtMs = NEVER;
  /** A start that is put off comes by then. */
  private startByMs = NEVER;
  /** With which servers the present network was measured; undefined where it was not. */
  private measuredWith: string | undefined;

  constructor(config: OwnStunConfig) {
    this.config = config;
    this.transactions = new StunTransactions(config.routes, config.random);
  }

  /**
   * Asks the rendezvous where the socket of `carrier` is seen. Of the main one it tells us by itself in the family over which we talk to
   * it; where there is the other family as well, only this makes our NAT map the socket there, and tells how.
   */
  queryMappedAddress(nowMs: number, carrier: Carrier): void {
    const servers = this.reachable();
    const families = ([4, 6] as const).filter((family) => servers.some((server) => server.family === family));
    // NATs are where IPv4 is: a further socket is asked for there.
    const asked = carrier !== MAIN_CARRIER ? families.slice(0, 1) : families.length > 1 ? families : [];
    for (const family of asked) {
      const to = servers.find((server) => server.family === family);
      if (to !== undefined) this.ask(nowMs, to, carrier);
    }
  }

  private ask(nowMs: number, to: SocketAddress, carrier: Carrier): void {
    this.queries = this.queries.filter(({ state }) => state === "waiting");
    if (this.queries.length >= MAPPED_ADDRESS_QUERIES_MAX) return;
    const schedule = { rtoMs: MAPPED_ADDRESS_RETRY_MS, requestsMax: MAPPED_ADDRESS_TRIES };
    this.queries = [...this.queries, this.transactions.ask(nowMs, { to, carrier }, schedule)];
  }

  /** There is a rendezvous to ask. */
  onRendezvous(nowMs: number): void {
    if (this.measuredWith === this.serversKey() || this.startAtMs !== NEVER) return;
    this.plan(nowMs + NAT_MEASURE_DELAY_MS);
  }

  /** A peer has just been reached: whether the two meet directly is decided in these moments, most often without what is measured. */
  onPeer(nowMs: number): void {
    if (this.startAtMs === NEVER || this.ownSockets.length > 0) return;
    this.startAtMs = Math.min(Math.max(this.startAtMs, nowMs + NAT_MEASURE_PEER_DELAY_MS), this.startByMs);
  }

  /** What is known belongs to another network. */
  onNetworkChange(nowMs: number): void {
    this.config.network.nat = UNKNOWN_NAT;
    this.stop();
    if (this.config.servers().length > 0) this.plan(nowMs + NAT_NETWORK_CHANGE_DELAY_MS);
  }

  stop(): void {
    this.discovery = undefined;
    this.measuredWith = undefined;
    this.startAtMs = NEVER;
    this.config.sockets.close(this.ownSockets);
    this.ownSockets = [];
  }

  private plan(startAtMs: number): void {
    this.stop();
    this.startAtMs = startAtMs;
    this.startByMs = startAtMs + NAT_MEASURE_PUT_OFF_MS;
  }

  private openSockets(nowMs: number): void {
    this.ownSockets = this.config.sockets.open(3);
    this.startAtMs = nowMs + NAT_SOCKETS_OPEN_MS;
  }

  /** IPv4 where there is any, since NATs are there; a firewall in front of IPv6 is measured where there is nothing else. */
  private servers(): readonly SocketAddress[] {
    const all = this.reachable();
    const ipv4 = all.filter(({ family }) => family === 4);
    return ipv4.length > 0 ? ipv4 : all;
  }

  /** Those of our own families; all while our addresses are unknown. */
  private reachable(): readonly SocketAddress[] {
    const { hosts } = this.config.network;
    const all = this.config.servers();
    return hosts.length === 0 ? all : all.filter((server) => hosts.some(({ family }) => family === server.family));
  }

  private serversKey(): string {
    return this.servers().map(formatSocketAddress).join();
  }

  private start(nowMs: number): void {
    this.startAtMs = NEVER;
    const { routes, random, network } = this.config;
    const servers = this.servers();
    const [mapping, filtering, unsolicited] = this.ownSockets;
    const isOpen = mapping !== undefined && filtering !== undefined && unsolicited !== undefined;
    if (servers.length === 0 || network.hosts.length === 0 || !isOpen) {
      this.stop();
      return;
    }
    this.measuredWith = this.serversKey();
    this.queryMappedAddress(nowMs, MAIN_CARRIER);
    this.discovery = new NatDiscovery({
      routes,
      random,
      servers,
      localHosts: network.hosts.map(({ host }) => host),
      socket: { carrier: mapping },
      filteringSocket: { carrier: filtering },
      unsolicitedSocket: { carrier: unsolicited },
    });
    this.discovery.start(nowMs);
  }

  /** @param packet one STUN message. @returns where a socket is seen, if that was asked for and is news. */
  handlePacket(nowMs: number, from: SocketAddress, carrier: Carrier, packet: Uint8Array): MappedAddress | undefined {
    const { discovery } = this;
    if (discovery !== undefined) {
      discovery.handleDatagram(nowMs, from, packet, carrier);
      this.collect(nowMs, discovery);
    }
    this.transactions.handlePacket(nowMs, from, packet, carrier);
    const answered = this.queries.find(({ state }) => state === "answered");
    this.queries = this.queries.filter(({ state }) => state === "waiting");
    if (answered?.mapped === undefined) return undefined;
    const seen = { carrier: answered.question.carrier, address: answered.mapped };
    const isNews = seen.carrier !== MAIN_CARRIER || this.config.network.onObserved(seen.address);
    return isNews ? seen : undefined;
  }

  handleTimeout(nowMs: number): void {
    if (nowMs >= this.startAtMs && this.ownSockets.length === 0) this.openSockets(nowMs);
    else if (nowMs >= this.startAtMs) this.start(nowMs);
    this.transactions.handleTimeout(nowMs);
    const { discovery } = this;
    if (discovery === undefined) return;
    discovery.handleTimeout(nowMs);
    this.collect(nowMs, discovery);
  }

  private collect(nowMs: number, discovery: NatDiscovery): void {
    const { network } = this.config;
    if (discovery.takesUnsolicited.value === true && !network.nat.takesUnsolicited) {
      this.config.onMeasured(nowMs, { ...network.nat, takesUnsolicited: true });
    }
    const early = network.nat.mapping === "unknown" ? discovery.early : undefined;
    if (early !== undefined) this.config.onMeasured(nowMs, { ...network.nat, ...early });
    const report = discovery.pollEvent();
    if (report === undefined) return;
    const { measuredWith } = this;
    this.stop();
    // Where nobody answered, the next session with a rendezvous is the time to ask again.
    this.measuredWith = report.udp ? measuredWith : undefined;
    this.tell(nowMs, report);
  }

  /** What could not be measured this time is as it was: the network has not changed. */
  private tell(nowMs: number, report: NatReport): void {
    const { log, network } = this.config;
    const before = network.nat;
    const measured = natBehaviourOf(report);
    const takesUnsolicited = measured.takesUnsolicited ?? before.takesUnsolicited;
    const portStride = measured.mapping === "unknown" ? before.portStride : measured.portStride;
    const nat = {
      mapping: measured.mapping === "unknown" ? before.mapping : measured.mapping,
      filtering: measured.filtering === "unknown" ? before.filtering : measured.filtering,
      portsPreserved: this.keepsPort,
      ...(takesUnsolicited === undefined ? {} : { takesUnsolicited }),
      ...(portStride === undefined ? {} : { portStride }),
    };
    log.debug("measured the NAT", { ...nat, translated: report.translated });
    const isNews =
      nat.mapping !== before.mapping ||
      nat.filtering !== before.filtering ||
      nat.portsPreserved !== before.portsPreserved ||
      takesUnsolicited !== before.takesUnsolicited ||
      nat.portStride !== before.portStride;
    if (isNews) this.config.onMeasured(nowMs, nat);
  }

  /** Of our further sockets nobody but the driver knows the port. */
  private get keepsPort(): boolean {
    const { hosts, observed } = this.config.network;
    const family = this.servers()[0]?.family;
    const seen = observed.find((address) => address.family === family);
    return seen !== undefined && hosts.some((host) => host.family === family && host.port === seen.port);
  }

  pollTimeout(): number {
    return Math.min(this.startAtMs, this.transactions.pollTimeout(), this.discovery?.pollTimeout() ?? NEVER);
  }

  pollTransmit(nowMs: number, out: Transmit): boolean {
    return this.transactions.pollTransmit(nowMs, out) || (this.discovery?.pollTransmit(nowMs, out) ?? false);
  }
}
