// The addresses behind the names of the rendezvous. A name that cannot be resolved is tried again for ever, since at boot the
// network may come later than we do; it is said once. Names are looked up again now and then, and often while a rendezvous
// does not answer, because it may have moved.

import { lookup } from "node:dns/promises";
import { formatSocketAddress, type SocketAddress, socketAddress } from "../base/address.ts";
import {
  NAME_REFRESH_MS,
  NAME_REFRESH_MS_MIN,
  NAME_RETRY_MS_MAX,
  NAME_RETRY_MS_MIN,
  NAME_SILENT_MS,
} from "../base/limits.ts";
import { systemCode } from "./usage-error.ts";

/** @returns the IP addresses of a host in the order of preference; rejects with the system's error. */
export type Lookup = (host: string) => Promise<readonly string[]>;

export interface NameResolutionOptions {
  readonly host: string;
  readonly port: number;
  /** Families that the socket reaches; other addresses are left out. */
  readonly families: readonly (4 | 6)[];
  /** Called with at least one address, at first and whenever they have changed. */
  onAddresses(addresses: readonly SocketAddress[]): void;
  /** Called once for each time that the name stops being known. */
  onUnknown(message: string): void;
  readonly lookup?: Lookup;
}

/** The system's own resolver. */
export const systemLookup: Lookup = async (host) =>
  (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address);

export class NameResolution {
  private readonly options: NameResolutionOptions;
  private readonly lookup: Lookup;
  private timer: NodeJS.Timeout | undefined;
  private known = "";
  private saidUnknown = false;
  private retryMs = NAME_RETRY_MS_MIN;
  private running = false;
  private stopped = false;
  private isSilent = false;
  private refreshedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: NameResolutionOptions) {
    this.options = options;
    this.lookup = options.lookup ?? systemLookup;
  }

  start(): void {
    const { address } = this;
    if (address !== undefined) this.options.onAddresses([address]);
    else void this.resolve();
  }

  /** Where an IP address is given, which needs no looking up, now or later. */
  private get address(): SocketAddress | undefined {
    return socketAddress(this.options.host, this.options.port);
  }

  /** Whether nobody answers at its addresses: then it is looked up now, and often until somebody does. */
  setSilent(nowMs: number, isSilent: boolean): void {
    if (this.address !== undefined || this.stopped) return;
    if (isSilent && !this.isSilent && !this.running) this.lookAgainAfter(NAME_SILENT_MS);
    this.isSilent = isSilent;
    if (isSilent) this.refresh(nowMs);
  }

  private lookAgainAfter(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.resolve(), ms);
  }

  /** Looks the name up now, unless that was done moments ago. */
  refresh(nowMs: number): void {
    if (this.address !== undefined) return;
    if (nowMs - this.refreshedAtMs < NAME_REFRESH_MS_MIN) return;
    this.refreshedAtMs = nowMs;
    void this.resolve();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private async resolve(): Promise<void> {
    if (this.running || this.stopped) return;
    this.running = true;
    clearTimeout(this.timer);
    let againMs: number;
    try {
      this.take(await this.lookup(this.options.host));
      againMs = this.isSilent ? NAME_SILENT_MS : NAME_REFRESH_MS;
      this.retryMs = NAME_RETRY_MS_MIN;
    } catch (error) {
      this.complain(error);
      againMs = this.retryMs;
      this.retryMs = Math.min(NAME_RETRY_MS_MAX, this.retryMs * 2);
    }
    this.running = false;
    if (!this.stopped) this.lookAgainAfter(againMs);
  }

  private take(hosts: readonly string[]): void {
    const { families, port } = this.options;
    const addresses = hosts
      .map((host) => socketAddress(host, port))
      .filter((address) => address !== undefined)
      .filter((address) => families.includes(address.family));
    if (addresses.length === 0) throw new Error("it has no address that this machine can reach");
    this.saidUnknown = false;
    const text = addresses.map(formatSocketAddress).join(" ");
    if (text === this.known || this.stopped) return;
    this.known = text;
    this.options.onAddresses(addresses);
  }

  private complain(error: unknown): void {
    // Addresses that were known stay in use: a resolver that fails for a while is no reason to leave a rendezvous.
    if (this.saidUnknown || this.known !== "" || this.stopped) return;
    this.saidUnknown = true;
    this.options.onUnknown(
      `cannot find the address of ${this.options.host}: ${reasonOf(error)}. Trying again until it is found; check the name, and the network.`,
    );
  }
}

function reasonOf(error: unknown): string {
  switch (systemCode(error)) {
    case "ENOTFOUND":
      return "no such host is known";
    case "EAI_AGAIN":
      return "the name server does not answer";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
