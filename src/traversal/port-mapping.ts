// Asks one router for a mapping of one UDP port, and keeps it: by PCP (RFC 6887), or by NAT-PMP (RFC 6886) where the router says that
// it knows no PCP, or says nothing. Both live on one port of the router and are asked from one port here.
//
//   start ── asking ──┬── mapped ── renewed at half its life ── … ── removed
//                     │      └── lost: the router forgot and did not answer again; asked anew
//                     └── unavailable: the router is silent, refuses, or has no public address itself. The machine has ended.

import { type SocketAddress, socketAddress } from "../base/address.ts";
import {
  PORT_MAPPING_ANNOUNCE_DELAY_MS,
  PORT_MAPPING_CHECK_MS,
  PORT_MAPPING_LEASE_SECONDS_MAX,
  PORT_MAPPING_REMOVE_TRIES,
  PORT_MAPPING_RENEW_MS_MIN,
  PORT_MAPPING_TRIES,
  PORT_MAPPING_WAIT_MS,
} from "../base/limits.ts";
import type { Machine } from "../base/machine.ts";
import { isPublicHost } from "../base/public-address.ts";
import { type Random, randomFraction } from "../base/random.ts";
import { type Route, RouteTable } from "../base/route.ts";
import { TimerTable } from "../base/timer-table.ts";
import type { Transmit } from "../base/transmit.ts";
import type { MappingAnswer, MappingProtocol, MappingRequest } from "./mapping-protocol.ts";
import { NatPmpProtocol } from "./nat-pmp-protocol.ts";
import { type NoMapping, withoutPublicAddress } from "./no-mapping.ts";
import { PcpProtocol } from "./pcp-protocol.ts";
import { RouterEpoch } from "./router-epoch.ts";

export type PortMappingEvent =
  /** Also when the address has changed. */
  | {
      readonly type: "mapped";
      readonly protocol: MappingProtocol["name"];
      readonly external: SocketAddress;
      readonly lifetimeSeconds: number;
    }
  /** The address is none of ours any more; it is being asked for again. */
  | { readonly type: "lost" }
  /** The last event but "removed". */
  | ({ readonly type: "unavailable" } & NoMapping)
  /** The last event, after `remove`. */
  | { readonly type: "removed" };

export interface PortMappingConfig {
  /** The router's address on our network, and its port for both protocols. */
  readonly gateway: SocketAddress;
  /** Our address on that network, from which requests are sent, and the port that is to be mapped. */
  readonly internal: SocketAddress;
  readonly random: Random;
}

const timer = { send: 0, renew: 1, expire: 2, check: 3 } as const;
const TIMERS = 4;

export class PortMapping implements Machine {
  private readonly config: PortMappingConfig;
  private readonly route: Route;
  private readonly protocols: readonly MappingProtocol[];
  private protocol: MappingProtocol;
  private epoch = new RouterEpoch();
  private readonly timers = new TimerTable(TIMERS);
  private asking: MappingRequest | undefined;
  /** Transmissions of what is being asked. */
  private tries = 0;
  private unsent: Uint8Array | undefined;
  private external: SocketAddress | undefined;
  private ended = false;
  private readonly events: PortMappingEvent[] = [];

  constructor(config: PortMappingConfig) {
    this.config = config;
    this.route = new RouteTable().direct(config.gateway);
    const pcp = new PcpProtocol(config.internal, config.random);
    // NAT-PMP knows IPv4 alone.
    this.protocols = config.gateway.family === 4 ? [pcp, new NatPmpProtocol(config.internal.port)] : [pcp];
    this.protocol = pcp;
  }

  // ---- what the driver asks for

  start(nowMs: number): void {
    this.useProtocol(nowMs, this.protocols[0] as MappingProtocol);
  }

  /** Asks for the mapping again before its time: the host has slept, and who knows for how long. */
  renew(nowMs: number): void {
    if (this.external !== undefined && this.asking === undefined) this.ask(nowMs, "map");
  }

  /** The network says that nobody listens at the router. */
  handleUnreachable(): void {
    if (this.asking === "remove") this.onRemoved();
    else if (this.asking === "map" && this.external === undefined)
      this.endWithout({ reason: "silent", message: "nobody listens there" });
  }

  /** Gives the mapping back; "removed" follows soon, whether the router answers or not. */
  remove(nowMs: number): void {
    const mayBeMapped = !this.ended && (this.external !== undefined || this.asking === "map");
    this.external = undefined;
    this.quiet();
    if (mayBeMapped) this.ask(nowMs, "remove");
    else this.onRemoved();
  }

  // ---- Machine

  handleDatagram(nowMs: number, from: SocketAddress, bytes: Uint8Array): void {
    const { gateway } = this.config;
    // Anybody may claim to be the router; what does not come from its address and port is not even looked at.
    if (this.ended || from.host !== gateway.host || from.port !== gateway.port) return;
    const answer = this.protocol.read(bytes);
    if (answer !== undefined) this.handleAnswer(nowMs, answer);
  }

  handleTimeout(nowMs: number): void {
    if (this.timers.takeDue(timer.expire, nowMs)) this.onExpired(nowMs);
    if (this.timers.takeDue(timer.send, nowMs)) this.send(nowMs);
    if (this.timers.takeDue(timer.renew, nowMs) && this.asking !== "map") this.ask(nowMs, "map");
    if (this.timers.takeDue(timer.check, nowMs) && this.asking === undefined) this.ask(nowMs, "check");
  }

  pollTimeout(): number {
    return this.timers.earliest();
  }

  pollTransmit(_nowMs: number, out: Transmit): boolean {
    if (this.unsent === undefined) return false;
    out.single(this.route, this.unsent);
    this.unsent = undefined;
    return true;
  }

  pollEvent(): PortMappingEvent | undefined {
    return this.events.shift();
  }

  // ---- asking

  private useProtocol(nowMs: number, protocol: MappingProtocol): void {
    this.protocol = protocol;
    // Each protocol counts its own epoch.
    this.epoch = new RouterEpoch();
    this.ask(nowMs, "map");
  }

  private ask(nowMs: number, what: MappingRequest): void {
    this.asking = what;
    this.tries = 0;
    this.protocol.begin(what);
    this.send(nowMs);
  }

  private send(nowMs: number): void {
    if (this.asking === undefined) return;
    if (this.tries >= (this.asking === "remove" ? PORT_MAPPING_REMOVE_TRIES : PORT_MAPPING_TRIES)) {
      this.onSilence(nowMs);
      return;
    }
    this.unsent = this.protocol.request(this.asking, this.external);
    this.timers.set(timer.send, nowMs + PORT_MAPPING_WAIT_MS * 2 ** this.tries);
    this.tries++;
  }

  private answered(): void {
    this.asking = undefined;
    this.timers.clear(timer.send);
  }

  /** Every transmission has gone unanswered. */
  private onSilence(nowMs: number): void {
    const { asking } = this;
    this.answered();
    if (asking === "remove") this.onRemoved();
    else if (asking === "map" && this.external !== undefined) this.renewLater(nowMs);
    else if (asking === "map") this.onOtherVersion(nowMs);
    // A check without an answer says nothing: the renewal will show.
  }

  /** Once more at half of what is left of the mapping's life (RFC 6887 §11.2.1). */
  private renewLater(nowMs: number): void {
    const leftMs = this.timers.at(timer.expire) - nowMs;
    this.timers.set(timer.renew, nowMs + Math.max(PORT_MAPPING_RENEW_MS_MIN, leftMs / 2));
  }

  /** The router does not speak this protocol, or not at all. */
  private onOtherVersion(nowMs: number): void {
    const next = this.protocols[this.protocols.indexOf(this.protocol) + 1];
    if (next === undefined) this.endWithout({ reason: "silent", message: "it does not answer" });
    else this.useProtocol(nowMs, next);
  }

  // ---- answers

  private handleAnswer(nowMs: number, answer: MappingAnswer): void {
    if (answer.type === "other-version") {
      if (this.asking !== "map") return;
      this.lose();
      this.onOtherVersion(nowMs);
      return;
    }
    const isReset = this.epoch.isReset(nowMs, answer.epochSeconds);
    switch (answer.type) {
      case "alive":
        this.onAlive(nowMs, isReset, answer.externalHost);
        break;
      case "mapped":
        this.onMapped(nowMs, answer.externalHost, answer.externalPort, answer.lifetimeSeconds);
        break;
      case "refused":
        this.onRefused(nowMs, answer.message);
        break;
    }
  }

  /** The answer to a check, the first answer of two, or an announcement that nobody asked for. */
  private onAlive(nowMs: number, isReset: boolean, externalHost: string | undefined): void {
    if (this.asking === "map" && this.protocol.needsAnotherRequest) {
      if (externalHost !== undefined && !isPublicHost(externalHost)) {
        this.endWithout(withoutPublicAddress(externalHost));
        return;
      }
      this.tries = 0;
      this.send(nowMs);
      return;
    }
    if (this.external === undefined) return;
    const wasAsked = this.asking === "check";
    if (wasAsked) this.answered();
    this.timers.set(timer.check, nowMs + PORT_MAPPING_CHECK_MS);
    const hasMoved = externalHost !== undefined && externalHost !== this.external.host;
    if (!isReset && !hasMoved) return;
    if (wasAsked) {
      this.ask(nowMs, "map");
      return;
    }
    const delayMs = PORT_MAPPING_ANNOUNCE_DELAY_MS * randomFraction(this.config.random);
    this.timers.set(timer.renew, Math.min(this.timers.at(timer.renew), nowMs + delayMs));
  }

  private onMapped(nowMs: number, externalHost: string, externalPort: number, givenSeconds: number): void {
    if (this.asking === "remove") {
      if (givenSeconds === 0) this.onRemoved();
      return;
    }
    const external = socketAddress(externalHost, externalPort);
    if (external === undefined || givenSeconds * 1000 < 2 * PORT_MAPPING_RENEW_MS_MIN) {
      this.endWithout({ reason: "refused", message: `it gives a mapping for ${givenSeconds} s only` });
      return;
    }
    if (!isPublicHost(external.host)) {
      this.endWithout(withoutPublicAddress(external.host));
      // Nobody has a use for it; whether the router hears this does not matter.
      this.unsent = this.protocol.request("remove", undefined);
      return;
    }
    this.answered();
    const lifetimeSeconds = Math.min(givenSeconds, PORT_MAPPING_LEASE_SECONDS_MAX);
    const lifetimeMs = lifetimeSeconds * 1000;
    // Between a half and five eighths, so that the hosts of a network do not all come at once (RFC 6887 §11.2.1).
    const renewMs = lifetimeMs * (1 / 2 + randomFraction(this.config.random) / 8);
    this.timers.set(timer.renew, nowMs + Math.max(PORT_MAPPING_RENEW_MS_MIN, renewMs));
    this.timers.set(timer.expire, nowMs + lifetimeMs);
    this.timers.set(timer.check, nowMs + PORT_MAPPING_CHECK_MS);
    const { external: before } = this;
    this.external = external;
    if (before?.host === external.host && before.port === external.port) return;
    this.events.push({ type: "mapped", protocol: this.protocol.name, external, lifetimeSeconds });
  }

  private onRefused(nowMs: number, message: string): void {
    if (this.asking === "remove") this.onRemoved();
    if (this.asking !== "map") return;
    // A mapping that is not renewed is there for the rest of its life.
    if (this.external === undefined) {
      this.endWithout({ reason: "refused", message });
    } else {
      this.answered();
      this.renewLater(nowMs);
    }
  }

  private onExpired(nowMs: number): void {
    this.lose();
    this.quiet();
    this.start(nowMs);
  }

  // ---- the end

  private lose(): void {
    if (this.external === undefined) return;
    this.external = undefined;
    this.events.push({ type: "lost" });
  }

  private quiet(): void {
    this.asking = undefined;
    this.unsent = undefined;
    for (const row of Object.values(timer)) this.timers.clear(row);
  }

  private endWithout(why: NoMapping): void {
    this.lose();
    this.quiet();
    this.ended = true;
    this.events.push({ type: "unavailable", ...why });
  }

  private onRemoved(): void {
    this.quiet();
    this.ended = true;
    this.events.push({ type: "removed" });
  }
}
