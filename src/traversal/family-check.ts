// Everything that can be found out about the way from this machine to the Internet by one family of addresses: first what the NAT does,
// then how large packets may be, then, where it was asked for, how long the NAT remembers.

import type { SocketAddress } from "../base/address.ts";
import { STUN_RTO_MS } from "../base/limits.ts";
import type { Machine } from "../base/machine.ts";
import { type Carrier, MAIN_CARRIER } from "../base/route.ts";
import type { Transmit } from "../base/transmit.ts";
import { isStun, packetLength } from "../wire/datagram.ts";
import { type LifetimeBounds, MappingLifetime, type MappingLifetimeOptions } from "./mapping-lifetime.ts";
import { NatDiscovery, type NatDiscoveryConfig } from "./nat-discovery.ts";
import { type Finding, type NatReport, unknown } from "./nat-report.ts";
import { PathMtuProbe } from "./path-mtu-probe.ts";
import { StunTransactions } from "./stun-transactions.ts";

export interface FamilyCheckConfig extends NatDiscoveryConfig {
  /** Whether the sockets forbid fragmentation, without which nothing can be learnt of the path's MTU. */
  readonly probesMtu: boolean;
  /** The sockets to measure the mapping's lifetime with; without them, it is not measured. */
  readonly lifetime?: Pick<MappingLifetimeOptions, "asker" | "sleepers">;
}

export interface FamilyFindings {
  readonly nat: NatReport;
  /** The largest IP packet that passes both ways, in bytes. */
  readonly mtuBytes: Finding<number>;
  /** There if it was asked for. */
  readonly lifetime?: Finding<LifetimeBounds>;
}

const NEVER = Number.POSITIVE_INFINITY;

export class FamilyCheck implements Machine {
  private readonly config: FamilyCheckConfig;
  private readonly discovery: NatDiscovery;
  /** Those of the tests behind the discovery. */
  private readonly transactions: StunTransactions;
  private nat: NatReport | undefined;
  private mtu: PathMtuProbe | undefined;
  private lifetime: MappingLifetime | undefined;
  private findings: FamilyFindings | undefined;
  private isTold = false;

  constructor(config: FamilyCheckConfig) {
    this.config = config;
    this.discovery = new NatDiscovery(config);
    this.transactions = new StunTransactions(config.routes, config.random);
  }

  /** Begins; to be called once. */
  start(nowMs: number): void {
    this.discovery.start(nowMs);
    this.advance(nowMs);
  }

  /** @returns the findings, once. */
  pollEvent(): FamilyFindings | undefined {
    if (this.isTold || this.findings === undefined) return undefined;
    this.isTold = true;
    return this.findings;
  }

  handleDatagram(nowMs: number, from: SocketAddress, bytes: Uint8Array, carrier: Carrier = MAIN_CARRIER): void {
    if (this.nat === undefined) {
      this.discovery.handleDatagram(nowMs, from, bytes, carrier);
    } else {
      for (let at = 0, end = 0; at < bytes.length; at = end) {
        end = at + packetLength(bytes, at, bytes.length);
        if (end === at) break;
        if (isStun(bytes, at)) this.transactions.handlePacket(nowMs, from, bytes.subarray(at, end), carrier);
      }
    }
    this.advance(nowMs);
  }

  handleTimeout(nowMs: number): void {
    if (this.nat === undefined) this.discovery.handleTimeout(nowMs);
    this.transactions.handleTimeout(nowMs);
    this.advance(nowMs);
  }

  pollTimeout(): number {
    if (this.findings !== undefined) return NEVER;
    if (this.nat === undefined) return this.discovery.pollTimeout();
    const tests = Math.min(this.mtu?.pollTimeout() ?? NEVER, this.lifetime?.pollTimeout() ?? NEVER);
    return Math.min(this.transactions.pollTimeout(), tests);
  }

  pollTransmit(nowMs: number, out: Transmit): boolean {
    return this.discovery.pollTransmit(nowMs, out) || this.transactions.pollTransmit(nowMs, out);
  }

  private advance(nowMs: number): void {
    this.nat ??= this.discovery.pollEvent();
    const { nat, config, transactions } = this;
    if (nat === undefined || this.findings !== undefined) return;
    const answered = nat.servers.filter((server) => server.answered);
    // A server with alternates knows RFC 5780, which both tests need.
    const best = answered.find(({ other }) => other !== undefined) ?? answered[0];
    if (best === undefined) {
      const silence = unknown("no server answered");
      this.findings = { nat, mtuBytes: silence, ...(config.lifetime === undefined ? {} : { lifetime: silence }) };
      return;
    }
    const { server, rttMs = STUN_RTO_MS / 2 } = best;
    const { carrier } = config.socket;
    if (config.probesMtu) {
      this.mtu ??= new PathMtuProbe(nowMs, { transactions, carrier, server: answered[0]?.server ?? server, rttMs });
      this.mtu.advance(nowMs);
    }
    const mtuBytes = config.probesMtu ? this.mtu?.finding : unknown("this system cuts packets that are too large");
    if (mtuBytes === undefined) return;
    if (config.lifetime === undefined) {
      this.findings = { nat, mtuBytes };
      return;
    }
    this.lifetime ??= new MappingLifetime(nowMs, { transactions, server, rttMs, ...config.lifetime });
    this.lifetime.advance(nowMs);
    const lifetime = this.lifetime.finding;
    if (lifetime !== undefined) this.findings = { nat, mtuBytes, lifetime };
  }
}
