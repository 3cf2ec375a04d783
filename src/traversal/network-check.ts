// The check of both families at a time, over the same sockets: NATs, firewalls and paths of IPv4 and of IPv6 have nothing in common.

import { parseIp, type SocketAddress } from "../base/address.ts";
import type { Machine } from "../base/machine.ts";
import type { Carrier } from "../base/route.ts";
import type { Transmit } from "../base/transmit.ts";
import { isLoopback } from "./candidate-gathering.ts";
import { FamilyCheck, type FamilyCheckConfig, type FamilyFindings } from "./family-check.ts";

export interface NetworkCheckEvent {
  readonly family: 4 | 6;
  readonly findings: FamilyFindings;
}

export class NetworkCheck implements Machine {
  private readonly checks = new Map<4 | 6, FamilyCheck>();

  /** @param config servers and local hosts of both families; a family that lacks either, loopback apart, is not checked. */
  constructor(config: FamilyCheckConfig) {
    const local = config.localHosts.map((host) => parseIp(host) as Uint8Array);
    for (const family of [4, 6] as const) {
      const hasHost = local.some((ip) => ip.length === (family === 4 ? 4 : 16) && !isLoopback(ip));
      const servers = config.servers.filter(
        (server) => server.family === family && (hasHost || isLoopback(parseIp(server.host) as Uint8Array)),
      );
      if (servers.length > 0) this.checks.set(family, new FamilyCheck({ ...config, servers }));
    }
  }

  /** The families that are checked, each of which has one event. */
  get families(): readonly (4 | 6)[] {
    return [...this.checks.keys()];
  }

  start(nowMs: number): void {
    for (const check of this.checks.values()) check.start(nowMs);
  }

  pollEvent(): NetworkCheckEvent | undefined {
    for (const [family, check] of this.checks) {
      const findings = check.pollEvent();
      if (findings !== undefined) return { family, findings };
    }
    return undefined;
  }

  handleDatagram(nowMs: number, from: SocketAddress, bytes: Uint8Array, carrier?: Carrier): void {
    this.checks.get(from.family)?.handleDatagram(nowMs, from, bytes, carrier);
  }

  handleTimeout(nowMs: number): void {
    for (const check of this.checks.values()) if (check.pollTimeout() <= nowMs) check.handleTimeout(nowMs);
  }

  pollTimeout(): number {
    return Math.min(...[...this.checks.values()].map((check) => check.pollTimeout()));
  }

  pollTransmit(nowMs: number, out: Transmit): boolean {
    for (const check of this.checks.values()) if (check.pollTransmit(nowMs, out)) return true;
    return false;
  }
}
