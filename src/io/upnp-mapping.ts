// A mapping by UPnP, for routers that speak neither PCP nor NAT-PMP: made, looked after every few minutes, and taken back at the end.
// UPnP has no epoch and tells nothing on its own, so that the router is asked whether it still has the mapping and the same address.

import { setTimeout as sleep } from "node:timers/promises";
import { type SocketAddress, socketAddress } from "../base/address.ts";
import {
  PORT_MAPPING_CHECK_MS,
  PORT_MAPPING_LEASE_SECONDS,
  PORT_MAPPING_REMOVE_MS,
  UPNP_FAILURES_MAX,
  UPNP_PORT_TRIES,
} from "../base/limits.ts";
import { isPublicHost } from "../base/public-address.ts";
import { randomUint32 } from "../base/random.ts";
import { type NoMapping, withoutPublicAddress } from "../traversal/no-mapping.ts";
import type { RouterPlace } from "./default-gateway.ts";
import { monotonicNowMs } from "./monotonic-clock.ts";
import { systemRandom } from "./system-random.ts";
import { findUpnpServices } from "./upnp-discovery.ts";
import { UpnpRefusal, type UpnpService, upnpError } from "./upnp-service.ts";

export interface UpnpMappingOptions {
  readonly place: RouterPlace;
  /** The UDP port to be mapped. */
  readonly internalPort: number;
  /** The mapping is there, or its address has changed. @param leaseSeconds 0 for as long as the router runs. */
  onMapped(external: SocketAddress, leaseSeconds: number): void;
  /** A test's own, in place of the protocol's and of PORT_MAPPING_CHECK_MS. */
  readonly ssdpPort?: number;
  readonly searchMs?: number;
  readonly checkMs?: number;
}

/** How it ended; "lost" where there had been a mapping. */
export interface UpnpEnd {
  readonly reason: NoMapping["reason"] | "lost" | "stopped";
  readonly message: string;
}

/** Ports that are nobody's by rule (RFC 6335 §6). */
const DYNAMIC_PORT_MIN = 49_152;

export class UpnpMapping {
  private readonly options: UpnpMappingOptions;
  private readonly stopping = new AbortController();
  /** Ends the wait for the next check. */
  private waiting: AbortController | undefined;
  private readonly ended: Promise<UpnpEnd>;
  private service: UpnpService | undefined;
  private externalPort = 0;
  /** The router has mapped the port for us, or may have: it was asked and has not answered yet. */
  private mayHold = false;
  private leaseSeconds = PORT_MAPPING_LEASE_SECONDS;
  private renewAtMs = 0;
  private told = "";

  /** Starts at once. */
  constructor(options: UpnpMappingOptions) {
    this.options = options;
    this.ended = this.run();
  }

  /** @returns when there is no mapping, or none any more. */
  end(): Promise<UpnpEnd> {
    return this.ended;
  }

  /** Looks after the mapping now. */
  check(): void {
    this.waiting?.abort();
  }

  /** Takes the mapping back. @returns when that is done, or has taken PORT_MAPPING_REMOVE_MS. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.ended;
  }

  private async run(): Promise<UpnpEnd> {
    try {
      const end = await this.make();
      if (end !== undefined) return end;
      await this.keep();
      return { reason: "lost", message: "the router does not answer any more" };
    } catch (error) {
      if (this.stopping.signal.aborted) return { reason: "stopped", message: "" };
      if (error instanceof UpnpRefusal) return { reason: "refused", message: error.message };
      return { reason: "silent", message: error instanceof Error ? error.message : String(error) };
    } finally {
      await this.takeBack();
    }
  }

  /** @returns undefined where the port is mapped. @throws where the router refuses, or cannot be asked. */
  private async make(): Promise<UpnpEnd | undefined> {
    const { place, ssdpPort, searchMs } = this.options;
    const { signal } = this.stopping;
    const services = await findUpnpServices({
      place,
      signal,
      ...(ssdpPort === undefined ? {} : { ssdpPort }),
      ...(searchMs === undefined ? {} : { searchMs }),
    });
    // A router may have several connections outwards, of which one is up.
    let privateHost: string | undefined;
    for (const service of services) {
      const host = await service.externalAddress(signal).catch(() => undefined);
      signal.throwIfAborted();
      if (host === undefined) continue;
      if (!isPublicHost(host)) {
        privateHost ??= host;
        continue;
      }
      this.service = service;
      await this.map(service);
      this.tell(host);
      return undefined;
    }
    if (privateHost !== undefined) return withoutPublicAddress(privateHost);
    const what = services.length === 0 ? "search" : "call";
    return { reason: "silent", message: `no router answers a ${what} by UPnP` };
  }

  /** Asks for ports until the router has one that nobody else holds. */
  private async map(service: UpnpService): Promise<void> {
    this.externalPort ||= this.options.internalPort;
    for (let tries = 1; ; tries++) {
      try {
        await this.add(service);
        return;
      } catch (error) {
        const code = error instanceof UpnpRefusal ? error.code : 0;
        if (code === upnpError.onlyPermanentLeases && this.leaseSeconds > 0) this.leaseSeconds = 0;
        else if (code === upnpError.conflict && tries < UPNP_PORT_TRIES) this.externalPort = anyPort();
        else throw error;
      }
    }
  }

  private async add(service: UpnpService): Promise<void> {
    const { place, internalPort } = this.options;
    const { externalPort, leaseSeconds } = this;
    this.mayHold = true;
    try {
      await service.add({ externalPort, internalHost: place.local, internalPort, leaseSeconds }, this.stopping.signal);
    } catch (error) {
      // A port that is refused is perhaps another host's, from which nothing is to be taken.
      if (error instanceof UpnpRefusal) this.mayHold = false;
      throw error;
    }
    this.renewAtMs = leaseSeconds > 0 ? monotonicNowMs() + leaseSeconds * 500 : Number.POSITIVE_INFINITY;
  }

  /** @returns when the router has been silent for several checks. @throws where it refuses. */
  private async keep(): Promise<void> {
    const { checkMs = PORT_MAPPING_CHECK_MS } = this.options;
    for (let failures = 0; failures < UPNP_FAILURES_MAX; ) {
      await this.wait(Math.max(0, Math.min(checkMs, this.renewAtMs - monotonicNowMs())));
      try {
        await this.lookAfter();
        failures = 0;
      } catch (error) {
        if (error instanceof UpnpRefusal || this.stopping.signal.aborted) throw error;
        failures++;
      }
    }
  }

  private async wait(delayMs: number): Promise<void> {
    this.waiting = new AbortController();
    const signal = AbortSignal.any([this.waiting.signal, this.stopping.signal]);
    await sleep(delayMs, undefined, { signal }).catch(() => {});
    this.stopping.signal.throwIfAborted();
  }

  private async lookAfter(): Promise<void> {
    const service = this.service as UpnpService;
    const { signal } = this.stopping;
    const host = await service.externalAddress(signal);
    if (!isPublicHost(host)) throw new Error("the router has no public address");
    const holder = await service.holderOf(this.externalPort, signal);
    if (holder !== this.options.place.local || monotonicNowMs() >= this.renewAtMs) await this.map(service);
    this.tell(host);
  }

  private tell(host: string): void {
    const external = socketAddress(host, this.externalPort);
    const text = `${host} ${this.externalPort}`;
    if (external === undefined || text === this.told) return;
    this.told = text;
    this.options.onMapped(external, this.leaseSeconds);
  }

  private async takeBack(): Promise<void> {
    if (!this.mayHold || this.service === undefined) return;
    // Whether it works cannot be told to anybody, and the lease ends it in the end.
    await this.service.delete(this.externalPort, AbortSignal.timeout(PORT_MAPPING_REMOVE_MS)).catch(() => {});
  }
}

const anyPort = (): number => DYNAMIC_PORT_MIN + (randomUint32(systemRandom) % (65_536 - DYNAMIC_PORT_MIN));
