// Keeps one router of ours asked for a mapping of one UDP port, for as long as we are on its network: by PCP or NAT-PMP, else by UPnP,
// else again later. What is found out is said once in the log, in plain words.

import { setTimeout as sleep } from "node:timers/promises";
import { formatSocketAddress, type SocketAddress, socketAddress } from "../base/address.ts";
import {
  PORT_MAPPING_PORT,
  PORT_MAPPING_REMOVE_MS,
  PORT_MAPPING_RETRY_MAX_MS,
  PORT_MAPPING_RETRY_MS,
  UPNP_DELAY_MS,
} from "../base/limits.ts";
import type { Log, LogFields } from "../base/log.ts";
import { isPublicHost } from "../base/public-address.ts";
import type { NoMapping } from "../traversal/no-mapping.ts";
import { PortMapping, type PortMappingEvent } from "../traversal/port-mapping.ts";
import type { RouterPlace } from "./default-gateway.ts";
import { Driver } from "./driver.ts";
import { GatewaySocket } from "./gateway-socket.ts";
import { monotonicNowMs } from "./monotonic-clock.ts";
import { systemRandom } from "./system-random.ts";
import type { UpnpMapping } from "./upnp-mapping.ts";

/** A port by this protocol, or why there is none. */
export type MappingOutcome = { readonly protocol: string; readonly external: SocketAddress } | NoMapping;

export interface RouterMappingOptions {
  readonly place: RouterPlace;
  /** The UDP port to be mapped. */
  readonly internalPort: number;
  readonly log: Log;
  /** `external` has another value. */
  onChange(): void;
  /** Called each time that asking has come to an end. */
  onOutcome?(outcome: MappingOutcome): void;
  /** A fault of our own: the process is expected to end. */
  onFault(error: unknown): void;
  /** A test's own, in place of the protocols'. */
  readonly gatewayPort?: number;
  readonly ssdpPort?: number;
}

export class RouterMapping {
  readonly place: RouterPlace;
  private readonly options: RouterMappingOptions;
  private readonly stopping = new AbortController();
  private mapped: SocketAddress | undefined;
  /** What is under way, of which there is one at a time. */
  private datagrams: { readonly machine: PortMapping; readonly driver: Driver<PortMappingEvent> } | undefined;
  private upnp: UpnpMapping | undefined;
  private pausing: AbortController | undefined;
  private pauseMs = PORT_MAPPING_RETRY_MS;
  /** A `connect` meets its peer in these moments, and what UPnP is done with takes a small machine 40 ms to load. */
  private readonly notBeforeMs = monotonicNowMs() + UPNP_DELAY_MS;
  private said = "";
  private readonly ended: Promise<void>;

  /** Starts at once. */
  constructor(options: RouterMappingOptions) {
    this.options = options;
    this.place = options.place;
    this.ended = this.run().catch((error) => options.onFault(error));
  }

  /** The address outside at which our port can be reached. */
  get external(): SocketAddress | undefined {
    return this.mapped;
  }

  /** The network changed or the host woke up, and this router is still ours: it is asked again. */
  refresh(): void {
    this.pausing?.abort();
    this.upnp?.check();
    if (this.datagrams === undefined) return;
    this.datagrams.machine.renew(monotonicNowMs());
    this.datagrams.driver.wake();
  }

  /** Gives the mapping back. @returns when that is done, or has taken PORT_MAPPING_REMOVE_MS. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.pausing?.abort();
    this.datagrams?.machine.remove(monotonicNowMs());
    this.datagrams?.driver.wake();
    const late = sleep(PORT_MAPPING_REMOVE_MS, undefined, { ref: false });
    await Promise.race([late, this.ended, this.upnp?.stop() ?? this.ended]);
  }

  private get isStopping(): boolean {
    return this.stopping.signal.aborted;
  }

  private async run(): Promise<void> {
    while (!this.isStopping) {
      const why = await this.askByDatagrams();
      if (!this.isStopping) await this.pause(this.notBeforeMs - monotonicNowMs());
      if (!this.isStopping) await this.askByUpnp(why);
      if (!this.isStopping) await this.leaveAlone();
    }
  }

  /** Leaves the router alone for a while, longer each time that nothing came of asking. */
  private async leaveAlone(): Promise<void> {
    const wasAborted = await this.pause(this.pauseMs);
    this.pauseMs = wasAborted ? PORT_MAPPING_RETRY_MS : Math.min(2 * this.pauseMs, PORT_MAPPING_RETRY_MAX_MS);
  }

  /** @returns whether it was cut short. */
  private async pause(forMs: number): Promise<boolean> {
    if (forMs <= 0) return false;
    this.pausing = new AbortController();
    const { signal } = this.pausing;
    await sleep(forMs, undefined, { signal }).catch(() => {});
    this.pausing = undefined;
    return signal.aborted;
  }

  // ---- PCP and NAT-PMP

  /** Holds a mapping for as long as there is one. @returns why there is none. */
  private async askByDatagrams(): Promise<NoMapping> {
    const { place, internalPort, gatewayPort = PORT_MAPPING_PORT, log } = this.options;
    const gateway = socketAddress(place.gateway, gatewayPort) as SocketAddress;
    const internal = socketAddress(place.local, internalPort) as SocketAddress;
    const machine = new PortMapping({ gateway, internal, random: systemRandom });
    const onUnreachable = (): void => {
      machine.handleUnreachable();
      this.datagrams?.driver.wake();
    };
    let socket: GatewaySocket;
    try {
      socket = await GatewaySocket.open({ place, gateway, log, onUnreachable });
    } catch (error) {
      return { reason: "silent", message: `nothing leads to it (${String(error)})` };
    }
    return await new Promise((resolve) => {
      const end = (why: NoMapping): void => {
        driver.stop();
        socket.close();
        this.datagrams = undefined;
        this.setMapped(undefined);
        resolve(why);
      };
      const driver = new Driver<PortMappingEvent>({
        machine,
        socket,
        onEvent: (_nowMs, event) => this.onEvent(event, end),
        onFault: (error) => {
          end({ reason: "silent", message: "" });
          this.options.onFault(error);
        },
      });
      this.datagrams = { machine, driver };
      const nowMs = monotonicNowMs();
      if (this.isStopping) machine.remove(nowMs);
      else machine.start(nowMs);
      driver.start();
    });
  }

  private onEvent(event: PortMappingEvent, end: (why: NoMapping) => void): void {
    switch (event.type) {
      case "mapped":
        this.sayMapped(event.protocol, event.external, event.lifetimeSeconds);
        this.setMapped(event.external);
        break;
      case "lost":
        this.setMapped(undefined);
        break;
      case "unavailable":
        end(event);
        break;
      case "removed":
        end({ reason: "silent", message: "" });
        break;
    }
  }

  // ---- UPnP

  /** Holds a mapping by UPnP for as long as there is one. */
  private async askByUpnp(before: NoMapping): Promise<void> {
    const { place, internalPort, ssdpPort } = this.options;
    // UPnP's way to open IPv6 is another service, which hardly a router has; what stands behind another NAT stays there; and on a
    // network of public addresses nobody's UPnP is asked.
    if (place.family === 6 || before.reason === "carrier-nat" || isPublicHost(place.local)) {
      this.sayNothing(before);
      return;
    }
    // Loaded only where it is needed: it brings an XML parser along.
    const { UpnpMapping } = await import("./upnp-mapping.ts");
    if (this.isStopping) return;
    this.upnp = new UpnpMapping({
      place,
      internalPort,
      ...(ssdpPort === undefined ? {} : { ssdpPort }),
      onMapped: (external, leaseSeconds) => {
        this.sayMapped("UPnP", external, leaseSeconds);
        this.setMapped(external);
      },
    });
    const why = await this.upnp.end();
    this.upnp = undefined;
    this.setMapped(undefined);
    if (why.reason === "lost" || why.reason === "stopped") return;
    // Where both kinds of protocols failed, the one that was answered says more.
    const { reason, message } = why;
    this.sayNothing(reason === "silent" && before.reason !== "silent" ? before : { reason, message });
  }

  // ---- what is told

  private setMapped(external: SocketAddress | undefined): void {
    if (this.mapped === external) return;
    this.mapped = external;
    if (external !== undefined) this.pauseMs = PORT_MAPPING_RETRY_MS;
    if (!this.isStopping) this.options.onChange();
  }

  private sayMapped(protocol: string, external: SocketAddress, leaseSeconds: number): void {
    this.options.onOutcome?.({ protocol, external });
    this.say("the router maps a port for this tunnel: peers may reach it there without punching holes", {
      protocol,
      external: formatSocketAddress(external),
      leaseSeconds,
    });
  }

  private sayNothing({ reason, message }: NoMapping): void {
    const { log, place } = this.options;
    this.options.onOutcome?.({ reason, message });
    if (place.family === 6) {
      // IPv6 needs no mapping, only a router that lets packets in, and hole punching is good at that.
      log.debug("the router opens no port for IPv6", { router: place.gateway, reason: message });
    } else if (reason === "silent") {
      this.say("the router maps no port: it answers neither PCP nor NAT-PMP nor UPnP; hole punching does without");
    } else if (reason === "refused") {
      this.say("the router maps no port, although it could be asked; hole punching does without", { reason: message });
    } else {
      this.say("the router maps no port of use, because it stands behind another NAT itself", { reason: message });
    }
  }

  /** Says it once, until something else is to be said. */
  private say(message: string, fields: LogFields = {}): void {
    const { log, place } = this.options;
    const text = `${message} ${JSON.stringify(fields)}`;
    if (text === this.said || this.isStopping) return;
    this.said = text;
    log.info(message, { router: place.gateway, ...fields });
  }
}
