// Has the routers of this machine map its UDP port, one of each address family, and follows when the machine moves to other networks.

import type { SocketAddress } from "../base/address.ts";
import { PORT_MAPPING_LOOK_MS } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import { type RouterPlace, routerPlaces } from "./default-gateway.ts";
import { RouterMapping } from "./router-mapping.ts";

export interface PortMapperOptions {
  /** The UDP port to be mapped, and the families of its socket. */
  readonly port: number;
  readonly families: readonly (4 | 6)[];
  readonly log: Log;
  /** Other addresses than before are mapped to the port; none, perhaps. */
  onAddresses(addresses: readonly SocketAddress[]): void;
  /** A fault of our own: the process is expected to end. */
  onFault(error: unknown): void;
  /** Replaced in tests. */
  readonly findRouters?: () => readonly RouterPlace[];
  readonly gatewayPort?: number;
  readonly ssdpPort?: number;
  readonly lookMs?: number;
}

const isSamePlace = (a: RouterPlace, b: RouterPlace): boolean =>
  a.gateway === b.gateway && a.device === b.device && a.local === b.local && a.networkBits === b.networkBits;

export class PortMapper {
  private readonly options: PortMapperOptions;
  private mappings: RouterMapping[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(options: PortMapperOptions) {
    this.options = options;
  }

  start(): void {
    this.look();
    // A route may come later than the address that the network watch sees; reading the tables takes some 100 µs.
    this.timer = setInterval(() => this.look(), this.options.lookMs ?? PORT_MAPPING_LOOK_MS);
  }

  /** The network changed, or the host woke up: the routers that are still there are asked again, too. */
  refresh(): void {
    const before = this.mappings;
    this.look();
    for (const mapping of this.mappings) if (before.includes(mapping)) mapping.refresh();
  }

  private look(): void {
    const { families, findRouters = () => routerPlaces(families) } = this.options;
    const places = findRouters();
    const before = this.mappings;
    const staying = before.filter((mapping) => places.some((place) => isSamePlace(place, mapping.place)));
    // What a router that we left keeps for us is given back where it can still be reached.
    for (const mapping of before) if (!staying.includes(mapping)) void mapping.stop();
    const fresh = places.filter((place) => !staying.some((mapping) => isSamePlace(place, mapping.place)));
    this.mappings = [...staying, ...fresh.map((place) => this.ask(place))];
    if (staying.length < before.length) this.tell();
  }

  /** Gives all mappings back. @returns when that is done, or has taken PORT_MAPPING_REMOVE_MS. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all(this.mappings.splice(0).map((mapping) => mapping.stop()));
  }

  private ask(place: RouterPlace): RouterMapping {
    const { port, log, onFault, gatewayPort, ssdpPort } = this.options;
    return new RouterMapping({
      place,
      internalPort: port,
      log,
      onFault,
      onChange: () => this.tell(),
      ...(gatewayPort === undefined ? {} : { gatewayPort }),
      ...(ssdpPort === undefined ? {} : { ssdpPort }),
    });
  }

  private tell(): void {
    const addresses = this.mappings.map(({ external }) => external).filter((external) => external !== undefined);
    this.options.onAddresses(addresses);
  }
}
